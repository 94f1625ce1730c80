//! A component that exports nothing a platform could call.

wit_bindgen::generate!({
    inline: "
        package test:nothing;

        world nothing {
            export greet: func() -> string;
        }
    ",
});

struct Nothing;

export!(Nothing);

impl Guest for Nothing {
    fn greet() -> String {
        "nobody hears this".to_string()
    }
}
