//! A handler that wants an interface nobody offers.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};

wit_bindgen::generate!({
    inline: "
        package test:nowhere@1.2.3;

        interface wishes {
            grant: func(wish: string) -> u32;
        }

        world odd {
            import wishes;
        }
    ",
    generate_all,
});

struct Odd;

wasip2::http::proxy::export!(Odd);

impl Guest for Odd {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let status = test::nowhere::wishes::grant("a status") as u16;
        let _ = response.set_status_code(status);
        ResponseOutparam::set(out, Ok(response));
    }
}
