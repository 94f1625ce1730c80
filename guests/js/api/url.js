// URL and URLSearchParams.
const PARTS = "href origin protocol username password host hostname port pathname search hash".split(" ");

export default async function (print) {
  const inputs = [
    ["http://example.com"], ["HTTP://EXAMPLE.com:80/a/../b/./c?x#y"], ["https://user:pa%20ss@host:8443/p?q=1#f"],
    ["http://127.0.0.1:8080/path?x=1"], ["http://1.2/"], ["http://256.1.1.1/"], ["http://0x7f.1/"], ["http://[::1]:3000/"],
    ["http://münchen.de/ä?ö#ü"], ["http://a b/"], ["mailto:x@y.z"], ["file:///etc/passwd"], ["data:text/plain,hi"],
    ["../x/y?z", "http://h/a/b/c"], ["//other/p", "https://h/a"], ["?q", "http://h/a?b#c"], ["#f", "http://h/a?b"],
    ["/abs", "http://h/a/b"], ["relative"], ["http://h/%7Efoo/%zz"], ["http://h/a'b\"c<d>?e'f\"g<h>"],
    ["http://h:99999/"], ["http://h:0443/"], ["  http://h/  "], ["http://h/a\tb\nc"], ["http://ex.com./"],
    ["http://h/x?"], ["http://h/x#"], ["https://h:443/"], ["http://a..b/"], ["http://xn--mnchen-3ya.de/"], ["http://h/..%2f/./x"],
    ["http://01.2.3.4/"], ["http://1.2.3.04/"], ["http://a.5/"], ["http://h/a^b|c`d{e}"], ["blob:https://h/id"], [""],
  ];
  for (const [input, base] of inputs) {
    try {
      const url = new URL(input, base);
      print(JSON.stringify(input), PARTS.map((part) => url[part]).join(" | "));
    } catch (error) {
      print(JSON.stringify(input), error.name, error.code, error.message);
    }
    print(URL.canParse(input, base));
  }
  const url = new URL("http://example.com/a?b=c#d");
  for (const [part, value] of [
    ["protocol", "https"], ["host", "other:81"], ["hostname", "third"], ["port", "443"], ["port", "x"], ["port", "99999"],
    ["pathname", "a b/ü"], ["search", "x y=1&z"], ["hash", "q r"], ["username", "me:"], ["password", "p@"], ["hash", ""],
    ["search", ""], ["protocol", "ftp:"], ["href", "http://new/"],
  ]) {
    url[part] = value;
    print(part, JSON.stringify(value), url.href);
  }
  try {
    url.href = "nonsense";
  } catch (error) {
    print(error.name);
  }
  url.searchParams.append("k", "v w");
  url.searchParams.append("k", "ü&=");
  print(url.href, url.searchParams.size);
  url.search = "?a=1&a=2";
  print(url.searchParams.getAll("a").join(), String(url), JSON.stringify({ url }));
  print(Object.prototype.toString.call(url), url instanceof URL);

  for (const init of ["?a=1&b=2", "a=b=c&&d&=e&%41=%zz+%e2%82", { x: "1", y: "ü ü" }, [["p", "1"], ["p", "2"]], "a=%F0%9F%98%80", new Map([["m", 1]])]) {
    const params = new URLSearchParams(init);
    print(params.toString(), params.size, JSON.stringify([...params]));
  }
  const params = new URLSearchParams("b=2&a=1&b=3&c=!'()*~-._ +");
  print(params.get("b"), params.get("zz"), params.has("a"), params.has("b", "3"), params.has("b", "9"));
  params.sort();
  print(params.toString());
  params.set("b", "only");
  params.delete("a");
  params.append("\ud800", "x");
  print(params.toString(), [...params.keys()].join(), [...params.values()].length);
  params.forEach((value, name) => print(name, value));
  try {
    new URLSearchParams([["only-one"]]);
  } catch (error) {
    print(error.name, error.code);
  }
}
