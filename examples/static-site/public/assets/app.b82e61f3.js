// A single-page app without a framework: the path chooses the page, the server answers every path with index.html.
const pages = {
  "/": ["Home", "Files from public/, served with ETags, compressed ahead, fingerprinted names kept for a year."],
  "/welcome": ["Welcome", "This path has no file: the route in static.json gives index.html, and this script the page."],
  "/about": ["About", "Deployed with: git push senryu main"],
};

function show() {
  const [title, text] = pages[location.pathname] ?? ["Not found", "There is no such page."];
  const heading = document.createElement("h1");
  const paragraph = document.createElement("p");
  heading.textContent = title;
  paragraph.textContent = text;
  document.getElementById("page").replaceChildren(heading, paragraph);
}

document.querySelector("nav").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show();
});
addEventListener("popstate", show);
show();
