//! The examples, each with the input it is for.

use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use alula_testkit::root;
use alula_tests::app::Dev;
use alula_tests::http::{Answer, Connection};

use crate::jpeg;

fn example(name: &str) -> Dev {
    Dev::start(&Path::new(&root()).join("examples").join(name))
}

#[test]
fn hello_in_rust_for_both_wasis() {
    for name in ["hello-rust", "hello-rust-p3"] {
        let dev = example(name);
        assert_eq!(dev.get("/").text(), "Hello from /\n", "{name}");
        assert_eq!(dev.get("/a/b?c=d").text(), "Hello from /a/b?c=d\n", "{name}");
    }
}

#[test]
fn hello_in_the_other_languages() {
    for (name, path, words) in [
        ("hello-js", "/you", "Hello"),
        ("hello-ts", "/?name=you", "you"),
        ("hello-python", "/", "Hello"),
        ("hello-c", "/", "Hello"),
    ] {
        let answer = example(name).get(path);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(answer.text().contains(words), "{name}: {}", answer.text());
    }
}

#[test]
fn markdown_becomes_html_without_scripts() {
    let dev = example("markdown");
    let text =
        "# Title\n\n- one\n- *two*\n\n<script>alert(1)</script>\n\n[x](javascript:alert(2))\n";
    let answer = dev.post("/render", text.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let html = answer.text();
    for part in ["<h1", "Title</h1>", "<li>one</li>", "<em>two</em>", "&lt;script&gt;"] {
        assert!(html.contains(part), "no `{part}`: {html}");
    }
    assert!(!html.contains("<script") && !html.contains("href=\"javascript"), "{html}");
    let page = dev.post("/render?page", text.as_bytes()).text();
    assert!(page.contains("<html") || page.contains("<!doctype html"), "{page}");
    assert_eq!(dev.get("/").status, 200);
}

#[test]
fn a_table_becomes_statistics() {
    let dev = example("csv-stats");
    let rows = (0..1000).map(|row| format!("{row},{},city-{}\n", row % 7, row % 10));
    let table = "id,week,city\n".to_owned() + &rows.collect::<String>();
    let answer = dev.post("/stats", table.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["rows"], 1000, "{told}");
    let (id, city) = (&told["columns"][0], &told["columns"][2]);
    assert_eq!((&id["min"], &id["max"], &id["mean"]), (&0.0.into(), &999.0.into(), &499.5.into()));
    assert_eq!((&city["name"], &city["distinct"]), (&"city".into(), &10.into()), "{told}");
}

fn thumbnail() -> &'static Dev {
    static SERVER: OnceLock<Dev> = OnceLock::new();
    SERVER.get_or_init(|| example("thumbnail"))
}

/// Which file format.
#[derive(Debug, Clone, Copy)]
enum Format {
    Jpeg,
    Png,
    WebP,
}

/// A picture whose left half is red and whose right half is blue.
fn halves(width: u16, height: u16, format: Format) -> Vec<u8> {
    let row = |x| if x < width / 2 { [220, 30, 30] } else { [30, 30, 220] };
    let line: Vec<u8> = (0..width).flat_map(row).collect();
    let pixels = line.repeat(usize::from(height));
    let mut file = Vec::new();
    let (wide, high) = (u32::from(width), u32::from(height));
    match format {
        Format::Jpeg => file = jpeg::flat_blocks(width, height, |x, _| row(x)),
        Format::Png => file = png_file(wide, high, png::ColorType::Rgb, &pixels),
        Format::WebP => image_webp::WebPEncoder::new(&mut file)
            .encode(&pixels, wide, high, image_webp::ColorType::Rgb8)
            .expect("memory can be written to"),
    }
    file
}

fn png_file(width: u32, height: u32, colour: png::ColorType, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    let mut writer = encoder.write_header().expect("memory can be written to");
    writer.write_image_data(pixels).expect("the pixels fit the size");
    writer.finish().expect("memory can be written to");
    file
}

fn shrink(file: &[u8], query: &str) -> Answer {
    thumbnail().post(&format!("/thumbnail{query}"), file)
}

#[track_caller]
fn check_halves(answer: &Answer, width: u16, height: u16) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    let mut decoder = jpeg_decoder::Decoder::new(answer.body.as_slice());
    let pixels = decoder.decode().expect("the answer is a JPEG");
    let info = decoder.info().expect("it has been decoded");
    assert_eq!((info.width, info.height), (width, height));
    let pixel = |index: usize| &pixels[index * 3..index * 3 + 3];
    let (left, right) = (pixel(2), pixel(usize::from(width) - 3));
    assert!(left[0] > 180 && left[2] < 80, "the left is red: {left:?}");
    assert!(right[2] > 180 && right[0] < 80, "the right is blue: {right:?}");
}

#[test]
fn thumbnails_are_made_of_each_kind_of_picture() {
    for format in [Format::Jpeg, Format::Png, Format::WebP] {
        let answer = shrink(&halves(1000, 600, format), "?w=200");
        check_halves(&answer, 200, 120);
        assert_eq!(answer.header("x-source-size"), Some("1000x600"), "{format:?}");
    }
    check_halves(&shrink(&halves(1000, 600, Format::Png), ""), 320, 192);
    // Nothing is enlarged.
    check_halves(&shrink(&halves(1000, 600, Format::Png), "?w=2000"), 1000, 600);
}

#[test]
fn a_transparent_picture_stays_transparent() {
    let row = |x| if x < 100 { [0, 0, 0, 0] } else { [30, 30, 220, 255] };
    let pixels = (0..200).flat_map(row).collect::<Vec<u8>>().repeat(100);
    let answer = shrink(&png_file(200, 100, png::ColorType::Rgba, &pixels), "?w=50");
    assert_eq!(answer.header("content-type"), Some("image/png"), "{}", answer.text());
    let mut small = png::Decoder::new(Cursor::new(&answer.body)).read_info().expect("it is a PNG");
    let mut pixels = vec![0; small.output_buffer_size().expect("it is small")];
    let info = small.next_frame(&mut pixels).expect("it is whole");
    assert_eq!((info.width, info.height, info.color_type), (50, 25, png::ColorType::Rgba));
    assert_eq!((pixels[2 * 4 + 3], &pixels[47 * 4..48 * 4]), (0, [30, 30, 220, 255].as_slice()));
}

#[test]
fn a_photograph_of_twenty_megapixels_fits_and_a_larger_one_is_refused() {
    check_halves(&shrink(&halves(5472, 3648, Format::Jpeg), ""), 320, 213);
    let answer = shrink(&halves(6000, 4000, Format::Jpeg), "");
    assert_eq!((answer.status, answer.text().contains("20 megapixels")), (413, true), "{answer:?}");
}

#[test]
fn what_is_no_picture_is_refused_with_a_reason() {
    let png = halves(100, 100, Format::Png);
    for (file, query, status, words) in [
        (b"hello".as_slice(), "", 415, "JPEG"),
        (&[], "", 415, "JPEG"),
        (&png[..png.len() / 2], "", 422, "cannot be read"),
        (&png, "?w=0", 400, "number"),
        (&png, "?w=a", 400, "number"),
        (&png, "?w=99999", 400, "number"),
    ] {
        let answer = shrink(file, query);
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(words), "{query}: {}", answer.text());
    }
    let answer = shrink(&vec![0xff; 33 << 20], "");
    assert_eq!((answer.status, answer.code().as_str()), (413, "ALULA-E0403"), "{answer:?}");
}

#[test]
fn the_page_to_try_thumbnails_with_is_served() {
    let page = thumbnail().get("/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(page.text().contains("/thumbnail?w="), "{}", page.text());
    assert_eq!(thumbnail().get("/thumbnail").status, 404);
}

fn stream() -> &'static Dev {
    static SERVER: OnceLock<Dev> = OnceLock::new();
    SERVER.get_or_init(|| example("stream"))
}

#[test]
fn the_clock_ticks_while_it_is_watched() {
    let answer = stream().get("/clock?ticks=3&ms=20");
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = answer.text();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 3, "{text}");
    assert!(events[2].starts_with("id: 2\nevent: tick\ndata: "), "{text}");

    let mut connection = Connection::open(stream().address);
    connection.request("GET", "/clock?ms=10", &[], &[]);
    let head = connection.head().expect("it begins at once");
    for _ in 0..3 {
        assert!(connection.chunk().is_some_and(|event| event.starts_with(b"id: ")));
    }
    drop(connection);
    assert_eq!(stream().record(&head.invocation())["outcome"], "cancelled");
}

#[test]
fn echo_and_download_carry_any_length() {
    let body: Vec<u8> = (0..2_500_000_u32).flat_map(u32::to_le_bytes).collect();
    let answer = stream().post("/echo", &body);
    assert!(answer.complete && answer.body == body, "{} bytes", answer.body.len());

    let answer = stream().get("/download?bytes=30000001");
    assert_eq!(answer.header("content-length"), Some("30000001"));
    assert!(answer.complete && answer.body.starts_with(b"All work and no play"));
    let record = stream().record(&answer.invocation());
    assert!(record["memory_peak_bytes"].as_u64() < Some(8 << 20), "{record}");
}
