// Blob, File and FormData in both encodings.
export default async function (print) {
  const blob = new Blob(["ab", new Uint8Array([99]), new Blob(["d"])], { type: "Text/Plain" });
  print(blob.size, blob.type, await blob.text(), (await blob.arrayBuffer()).byteLength);
  print(await blob.slice(1, 3).text(), await blob.slice(-2).text(), blob.slice(0, 1, "x/y").type);
  let text = "";
  for await (const piece of blob.stream()) text += new TextDecoder().decode(piece);
  print(text, new Blob().size, new Blob([], { type: "\u00e9" }).type, Object.prototype.toString.call(blob));
  const file = new File(["content"], "name.txt", { type: "text/plain", lastModified: 5 });
  print(file.name, file.lastModified, file.size, file.type, file instanceof Blob);

  const form = new FormData();
  form.append("a", "1");
  form.append("a", "2");
  form.append("file", file);
  form.append("blob", new Blob(["b"]), "given.bin");
  form.set("n", 5);
  print(form.get("a"), form.getAll("a").join(), form.has("x"), form.get("n"), form.get("none"));
  print([...form.keys()].join(), form.get("blob").name, form.get("blob").type);
  form.set("a", "only");
  print([...form].map(([k, v]) => `${k}=${typeof v === "string" ? v : v.name}`).join("&"));

  const response = new Response(form);
  print(/^multipart\/form-data; boundary=/.test(response.headers.get("content-type")));
  const parsed = await response.formData();
  print(parsed.get("a"), parsed.get("file").name, await parsed.get("file").text(), parsed.get("file").type);
  print(parsed.get("blob").name, await parsed.get("blob").text());
  form.delete("file");
  print([...form.keys()].join());

  const urlencoded = new Response("a=1&b=x+y%21&a=%C3%A9", { headers: { "content-type": "application/x-www-form-urlencoded" } });
  print(JSON.stringify([...(await urlencoded.formData())]));
  const raw = "--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nline1\r\nline2\r\n--B\r\n" +
    "Content-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\nContent-Type: application/x-thing\r\n\r\n--x\r\n\r\n--B--\r\n";
  const multipart = await new Response(raw, { headers: { "content-type": "multipart/form-data; boundary=B" } }).formData();
  print(JSON.stringify(multipart.get("t")), multipart.get("f").name, multipart.get("f").type, JSON.stringify(await multipart.get("f").text()));
  for (const type of ["text/plain", "multipart/form-data; boundary=Z"]) {
    try {
      await new Response(raw, { headers: { "content-type": type } }).formData();
    } catch (error) {
      print(error.name);
    }
  }
  const odd = new FormData();
  odd.append("q\"uote", "line\nbreak");
  const back = await new Response(odd).formData();
  print(JSON.stringify([...back]));
}
