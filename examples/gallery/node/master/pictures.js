// Pictures as files beside the program: gone when the dyno is.
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";

export const TYPES = { "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp" };
const folder = new URL("uploads/", import.meta.url);
mkdirSync(folder, { recursive: true });

// The newest first.
export async function allNames() {
  const names = await readdir(folder);
  const made = await Promise.all(names.map(async (name) => [name, (await stat(new URL(name, folder))).mtimeMs]));
  return made.sort((one, other) => other[1] - one[1]).map(([name]) => name);
}

// Gives the name under which it is found.
export async function add(content, type) {
  const name = randomBytes(8).toString("hex") + TYPES[type];
  await writeFile(new URL(name, folder), content);
  return name;
}

// Content and type, or nothing.
export async function find(name) {
  if (!(await allNames()).includes(name)) return undefined;
  const type = Object.keys(TYPES).find((each) => name.endsWith(TYPES[each]));
  return { content: await readFile(new URL(name, folder)), type };
}
