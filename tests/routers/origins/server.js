// For node: notes each request's head as it sees it, reads the body, answers with what it read.
const fs = require("fs");
const http = require("http");

const seen = fs.openSync(process.env.SEEN, "a");
http
  .createServer((request, response) => {
    const path = request.url.split("?")[0];
    fs.writeSync(seen, JSON.stringify([request.method, path, request.headers.via || ""]) + "\n");
    let length = 0;
    request.on("data", (chunk) => (length += chunk.length));
    request.on("error", () => {});
    request.on("end", () => response.end(`${path} ${length}\n`));
  })
  .listen(Number(process.env.PORT), process.env.DYNO ? "0.0.0.0" : "127.0.0.1");
