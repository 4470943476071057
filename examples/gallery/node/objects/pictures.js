// Pictures as objects of a bucket, their names in the database. Those added on the branch before stay where they are.
import { randomBytes } from "node:crypto";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import pg from "pg";

export const TYPES = { "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp" };
if (!process.env.DATABASE_URL) throw new Error("There is no database: the config var DATABASE_URL is not set.");
if (!process.env.AWS_S3_BUCKET) throw new Error("There is no bucket: the config var AWS_S3_BUCKET is not set.");
const Bucket = process.env.AWS_S3_BUCKET;
const store = new S3Client({ forcePathStyle: true });
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
  await store.send(new PutObjectCommand({ Bucket, Key: name, Body: content, ContentType: type }));
  await database.query("INSERT INTO pictures (name, content_type) VALUES ($1, $2)", [name, type]);
  return name;
}

// Content and type, or nothing.
export async function find(name) {
  const { rows } = await database.query("SELECT content, content_type FROM pictures WHERE name = $1", [name]);
  if (!rows[0]) return undefined;
  const stored = async () => Buffer.from(await (await store.send(new GetObjectCommand({ Bucket, Key: name }))).Body.transformToByteArray());
  return { content: rows[0].content ?? (await stored()), type: rows[0].content_type };
}
