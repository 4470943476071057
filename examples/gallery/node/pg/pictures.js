// Pictures as rows of the database, which outlives every dyno.
import { randomBytes } from "node:crypto";
import pg from "pg";

export const TYPES = { "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp" };
if (!process.env.DATABASE_URL) throw new Error("There is no database: the config var DATABASE_URL is not set.");
const database = new pg.Pool({ connectionString: process.env.DATABASE_URL, ssl: { rejectUnauthorized: false }, max: 5 });
database.on("error", (error) => console.error(`A connection to the database was lost: ${error.message}`));

// The newest first.
export async function allNames() {
  const { rows } = await database.query("SELECT name FROM pictures ORDER BY id DESC");
  return rows.map((row) => row.name);
}

// Gives the name under which it is found.
export async function add(content, type) {
  const name = randomBytes(8).toString("hex") + TYPES[type];
  await database.query("INSERT INTO pictures (name, content_type, content) VALUES ($1, $2, $3)", [name, type, content]);
  return name;
}

// Content and type, or nothing.
export async function find(name) {
  const { rows } = await database.query("SELECT content, content_type FROM pictures WHERE name = $1", [name]);
  return rows[0] && { content: rows[0].content, type: rows[0].content_type };
}
