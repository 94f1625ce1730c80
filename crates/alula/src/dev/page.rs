//! The page that a browser shows in place of a function that has not been built.

use alula_gateway::FaultPage;
use alula_types::{Fault, FunctionName};
use std::sync::Arc;

use crate::build::plain;

/// The page for a fault. It looks again every two seconds, so that a mended function appears by
/// itself.
pub(crate) fn fault_page(function: &FunctionName, fault: &Fault) -> Arc<FaultPage> {
    let fault = plain(fault);
    // One line is a heading; what a compiler says stays as it is, because its columns tell where.
    let (heading, output) = match fault.detail.trim_end() {
        detail if detail.contains('\n') => (fault.code.row().title, detail),
        detail => (detail, ""),
    };
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"refresh\" content=\"2\"><title>{function}: {code}</title>\
         <style>{STYLE}</style>\n<main><p class=\"code\">{code} · {function}</p>\n\
         <h1>{heading}</h1>\n{output}<p>{advice}</p></main></html>\n",
        function = escape(function.as_str()),
        code = fault.code.name(),
        heading = escape(heading),
        output = match output {
            "" => String::new(),
            output => format!("<pre>{}</pre>\n", escape(output)),
        },
        advice = escape(fault.advice()),
    );
    Arc::new(FaultPage { html: html.into_bytes().into(), fault })
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1c1b1a;background:#faf9f7}\
    main{max-width:60rem;margin:3rem auto;padding:0 1.5rem}h1{font-size:1.25rem}\
    .code{color:#a3262a;font-weight:600;margin:0}\
    pre{background:#1c1b1a;color:#f3f0ea;padding:1rem;border-radius:6px;overflow:auto;\
    font:13px/1.45 ui-monospace,monospace}\
    @media(prefers-color-scheme:dark){body{color:#f3f0ea;background:#161514}pre{background:#000}}";

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_types::Code;

    #[test]
    fn the_compilers_words_are_shown_as_text() {
        let name = FunctionName::parse("shop").unwrap();
        let detail =
            "`make` failed:\n   8 | \x1b[31merror\x1b[0m: Vec<u8> & <script>alert(1)</script>";
        let page = fault_page(&name, &Fault::new(Code::BuildFailed, detail));
        let html = String::from_utf8(page.html.to_vec()).unwrap();
        assert!(html.contains("error: Vec&lt;u8&gt; &amp; &lt;script&gt;"), "{html}");
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("<pre>`make` failed:\n   8 |"), "{html}");
        assert!(!html.contains('\x1b') && !page.fault.detail.contains('\x1b'), "{html}");
    }
}
