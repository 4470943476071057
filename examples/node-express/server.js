import express from "express";

const port = Number(process.env.PORT ?? 5000);
const greeting = process.env.GREETING ?? "Hello from Express";

const page = `<!doctype html>
<title>node-express</title>
<h1></h1>
<p>It is <span id="clock">now</span>.</p>
<script src="/clock.js"></script>
`;

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);

const app = express();
app.disable("x-powered-by");
app.get("/", (request, response) => {
  response.send(page.replace("<h1></h1>", () => `<h1>${escaped(greeting)}</h1>`));
});
app.use(express.static("public"));

const server = app.listen(port, "0.0.0.0", (error) => {
  if (error) throw error;
  console.log(`Listening on port ${port}, NODE_ENV=${process.env.NODE_ENV}`);
});

// A dyno gets SIGTERM and 30 s: finish the requests under way, take no new ones.
process.on("SIGTERM", () => {
  console.log("SIGTERM: closing");
  server.close(() => process.exit(0));
});
