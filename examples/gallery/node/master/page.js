// The one page. Names are made by the app itself: nothing in them has to be escaped.
export function page(names) {
  const images = names.map((name) => `<img src="/pictures/${name}" alt="">`).join("");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Gallery</title>
<style>
  body { font-family: sans-serif; margin: 2rem auto; max-width: 50rem }
  img { height: 10rem; margin: .25rem }
</style>
<h1>Gallery</h1>
<p>${names.length ? `Pictures: ${names.length}` : "No pictures yet."}</p>
<form action="/pictures" method="post" enctype="multipart/form-data">
  <input type="file" name="picture" accept="image/*" required>
  <button>Add</button>
</form>
${images}
</html>
`;
}
