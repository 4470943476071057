// A page with all pictures, and a form that adds one.
import express from "express";
import multer from "multer";
import * as pictures from "./pictures.js";
import { page } from "./page.js";

const app = express();
const form = multer({ limits: { fileSize: 10 * 1024 * 1024, files: 1 } });

app.use((request, response, next) => {
  response.on("finish", () => console.log(`${request.method} ${request.path} ${response.statusCode}`));
  next();
});

app.get("/", async (request, response) => {
  response.send(page(await pictures.allNames()));
});

app.post("/pictures", form.single("picture"), async (request, response) => {
  if (!request.file || !pictures.TYPES[request.file.mimetype]) {
    return response.status(422).type("text").send("Choose a picture (PNG, JPEG, GIF or WebP).\n");
  }
  console.log(`Stored the picture ${await pictures.add(request.file.buffer, request.file.mimetype)}`);
  response.redirect(303, "/");
});

app.get("/pictures/:name", async (request, response) => {
  const found = await pictures.find(request.params.name);
  if (!found) return response.status(404).type("text").send("There is no such picture.\n");
  response.set("X-Content-Type-Options", "nosniff").type(found.type).send(found.content);
});

// The log has the whole exception; visitors are told no more than this.
app.use((error, request, response, next) => {
  console.error(error);
  response.status(500).send("<!doctype html><title>Application error</title><h1>Application error</h1>\n");
});

const server = app.listen(process.env.PORT || 5000);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
