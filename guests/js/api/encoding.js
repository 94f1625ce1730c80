// TextEncoder and TextDecoder, whole and in pieces.
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");

export default async function (print) {
  const encoder = new TextEncoder();
  const long = "zażółć gęślą jaźń ".repeat(10);
  for (const text of ["", "abc", "é", "€", "😀", "\ud800x", "x\udc00", "a\ud83d", long + "\ud800"]) {
    const bytes = encoder.encode(text);
    print(bytes.length, hex(bytes.subarray(0, 24)), bytes instanceof Uint8Array);
  }
  print(encoder.encoding, encoder.encode().length);
  const target = new Uint8Array(6);
  print(JSON.stringify(encoder.encodeInto("aé€😀", target)), hex(target));

  const samples = [
    [0x61], [0xc3, 0xa9], [0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x98, 0x80], [0xff, 0x61], [0xc3], [0xc0, 0x80],
    [0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xf4, 0x90, 0x80, 0x80],
    [0xef, 0xbb, 0xbf, 0x61], [0xe0, 0x80, 0xaf],
  ];
  for (const sample of samples) {
    const bytes = new Uint8Array(sample);
    const text = new TextDecoder().decode(bytes);
    print(hex(bytes), JSON.stringify(text), text.length);
    // The same sequence within a long text takes another way.
    const padded = new Uint8Array([...encoder.encode("x".repeat(50)), ...bytes, 0x79]);
    print(JSON.stringify(new TextDecoder("utf8").decode(padded).slice(50)));
    try {
      print("fatal", JSON.stringify(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    } catch (error) {
      print("fatal", error.name);
    }
  }
  print(JSON.stringify(new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf]))));

  const all = encoder.encode("aé€😀z");
  for (let cut = 0; cut <= all.length; cut++) {
    const decoder = new TextDecoder();
    const first = decoder.decode(all.subarray(0, cut), { stream: true });
    print(cut, JSON.stringify([first, decoder.decode(all.subarray(cut))]));
  }
  const broken = new TextDecoder();
  print(JSON.stringify([broken.decode(new Uint8Array([0xe2, 0x82]), { stream: true }), broken.decode()]));
  print(new TextDecoder("utf-16le").decode(new Uint8Array([0x41, 0, 0x3d, 0xd8, 0, 0xde])));
  // Not 0x80 to 0x9f, which Node 20 decodes otherwise than the standard says.
  print(new TextDecoder("latin1").decode(new Uint8Array([0x41, 0xe9, 0xff])));
  for (const label of ["UTF-8", " utf8 ", "latin1", "ascii", "utf-16", "nope"]) {
    try {
      print(label, new TextDecoder(label).encoding);
    } catch (error) {
      print(label, error.name);
    }
  }
  print(new TextDecoder().decode(new Uint16Array([0x6161]).buffer), new TextDecoder().decode());
  print(btoa("hello"), atob("aGVsbG8="));
}
