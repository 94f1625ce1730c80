//! Static files as a browser asks for them.

use super::*;
use crate::StaticDir;

struct Folder {
    running: Running,
    _folder: tempfile::TempDir,
}

async fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("sub")).unwrap();
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        std::fs::write(&path, text).unwrap();
        // Long ago, so that its etag is strong.
        let past = clock::wall() - Duration::from_secs(100);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(past).unwrap();
    };
    write("index.html", "<h1>home</h1>");
    write("sub/index.html", "<h1>sub</h1>");
    write("digits.txt", "0123456789");
    write("app.js", "plain");
    write("app.js.gz", "gzipped");
    write("app.js.br", "brotli");
    write("empty.bin", "");
    write("with space.txt", "space");
    write(".env", "SECRET=1");
    std::fs::write(folder.path().join("secret.txt"), "SECRET").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("secret.txt"), root.join("out.txt")).unwrap();
        std::os::unix::fs::symlink("digits.txt", root.join("in.txt")).unwrap();
    }
    let running = Setup::new()
        .route("/{rest...}", Target::Static(StaticDir::new(&root)), None)
        .route("GET /one", Target::Static(StaticDir::new(root.join("digits.txt"))), None)
        .run()
        .await;
    Folder { running, _folder: folder }
}

impl Folder {
    async fn ask(&self, request: &str) -> Answer {
        self.running.ask(request).await
    }
}

#[tokio::test]
async fn files_have_their_types_and_folders_their_index() {
    let folder = folder().await;
    for (path, kind, body) in [
        ("/", "text/html; charset=utf-8", "<h1>home</h1>"),
        ("/sub/", "text/html; charset=utf-8", "<h1>sub</h1>"),
        ("/digits.txt", "text/plain; charset=utf-8", "0123456789"),
        ("/with%20space.txt", "text/plain; charset=utf-8", "space"),
        ("/in.txt", "text/plain; charset=utf-8", "0123456789"),
        ("/one", "text/plain; charset=utf-8", "0123456789"),
        ("/empty.bin", "application/octet-stream", ""),
    ] {
        let answer = folder.ask(&format!("GET {path}")).await;
        assert_eq!((answer.status(), answer.body()), (200, body), "{path}");
        assert_eq!(answer.field("content-type"), Some(kind), "{path}");
        assert_eq!(answer.field("content-length"), Some(body.len().to_string().as_str()));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        answer.assert_marked();
        let head = folder.ask(&format!("HEAD {path}")).await;
        assert_eq!((head.status(), head.body()), (200, ""), "{path}");
        assert_eq!(head.field("content-length"), answer.field("content-length"), "{path}");
        assert_eq!(head.field("etag"), answer.field("etag"), "{path}");
    }
}

#[tokio::test]
async fn a_folder_without_its_slash_is_elsewhere() {
    let folder = folder().await;
    let answer = folder.ask("GET /sub?a=b").await;
    assert_eq!(answer.status(), 308);
    assert_eq!(answer.field("location"), Some("/sub/?a=b"));
}

#[tokio::test]
async fn nothing_else_is_served() {
    let folder = folder().await;
    for path in [
        "/nothing",
        "/digits.txt/",
        "/.env",
        "/sub/../.env",
        "/out.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%00",
        "/digits.txt%00",
        "//secret.txt",
        "//sub",
        "/sub//index.html",
        "/digits.txt/x",
    ] {
        let answer = folder.ask(&format!("GET {path}")).await;
        assert!(matches!(answer.status(), 400 | 404), "{path}: {answer:?}");
        assert!(!answer.0.contains("SECRET"), "{path}");
    }
    let answer = folder.ask("POST /digits.txt").await;
    answer.assert_problem(405, "ALULA-E0402");
    assert_eq!(answer.field("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(folder.ask("OPTIONS /digits.txt").await.status(), 204);
}

#[tokio::test]
async fn a_client_that_has_it_is_not_sent_it_again() {
    let folder = folder().await;
    let answer = folder.ask("GET /digits.txt").await;
    let etag = answer.field("etag").unwrap();
    assert!(etag.starts_with('"'), "{etag}");
    let date = answer.field("last-modified").unwrap();
    for field in [format!("if-none-match: {etag}"), format!("if-modified-since: {date}")] {
        let again = folder.ask(&format!("GET /digits.txt\r\n{field}")).await;
        assert_eq!((again.status(), again.body()), (304, ""), "{field}");
        assert_eq!(again.field("etag"), Some(etag));
    }
    let changed = folder.ask("GET /digits.txt\r\nif-none-match: \"other\"").await;
    assert_eq!(changed.status(), 200);
    let failed = folder.ask("GET /digits.txt\r\nif-match: \"other\"").await;
    failed.assert_problem(412, "ALULA-E0411");
}

#[tokio::test]
async fn a_part_can_be_had() {
    let folder = folder().await;
    let answer = folder.ask("GET /digits.txt\r\nrange: bytes=2-4").await;
    assert_eq!((answer.status(), answer.body()), (206, "234"));
    assert_eq!(answer.field("content-range"), Some("bytes 2-4/10"));
    let etag = answer.field("etag").unwrap();
    for (fields, status, body) in [
        ("range: bytes=-2".to_owned(), 206, "89"),
        ("range: bytes=0-1,4-5".to_owned(), 200, "0123456789"),
        (format!("range: bytes=5-\r\nif-range: {etag}"), 206, "56789"),
        ("range: bytes=5-\r\nif-range: \"other\"".to_owned(), 200, "0123456789"),
    ] {
        let answer = folder.ask(&format!("GET /digits.txt\r\n{fields}")).await;
        assert_eq!((answer.status(), answer.body()), (status, body), "{fields}");
    }
    let answer = folder.ask("GET /digits.txt\r\nrange: bytes=10-").await;
    answer.assert_problem(416, "ALULA-E0409");
    assert_eq!(answer.field("content-range"), Some("bytes */10"));
}

#[tokio::test]
async fn what_is_compressed_already_is_sent_so() {
    let folder = folder().await;
    let mut etags = Vec::new();
    for (accept, coding, body) in [
        ("x-none: 1", None, "plain"),
        ("accept-encoding: gzip", Some("gzip"), "gzipped"),
        ("accept-encoding: gzip, br, zstd", Some("br"), "brotli"),
        ("accept-encoding: zstd", None, "plain"),
        ("accept-encoding: gzip\r\nrange: bytes=0-4", None, "plain"),
    ] {
        let answer = folder.ask(&format!("GET /app.js\r\n{accept}")).await;
        assert_eq!(answer.body(), body, "{accept}");
        assert_eq!(answer.field("content-encoding"), coding, "{accept}");
        assert_eq!(answer.field("vary"), Some("accept-encoding"), "{accept}");
        assert_eq!(answer.field("content-type"), Some("text/javascript; charset=utf-8"));
        etags.push(answer.field("etag").unwrap().to_owned());
    }
    assert_ne!(etags[0], etags[1]);
    assert_ne!(etags[1], etags[2]);
    assert_eq!(etags[0], etags[3]);
    assert_eq!(folder.ask("GET /digits.txt").await.field("vary"), None);
}

#[tokio::test]
async fn a_large_file_is_sent_in_pieces() {
    let folder = folder().await;
    let path = folder._folder.path().join("root/large.bin");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let mut socket = folder.running.connect().await;
    let request = b"GET /large.bin HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut all = Vec::new();
    in_time(socket.read_to_end(&mut all)).await.unwrap();
    assert!(all.ends_with(&bytes), "{} bytes", all.len());
    // It was written just now.
    assert!(String::from_utf8_lossy(&all[..400]).contains("etag: W/\""));
}
