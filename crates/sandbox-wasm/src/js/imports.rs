//! The `platform` interface: environment, log, randomness, time, and the ends of bodies.

use std::time::Duration;

use alula_telemetry::GuestStream;
use wasmtime::component::{Access, FutureReader};

use super::bindings::alula::js::{platform, types};
use super::{Js, JsGuest, View, fetch};

/// The most random bytes in one call, as the Web Cryptography API bounds `getRandomValues`.
const RANDOM_MAX: u32 = 65_536;

impl types::Host for View<'_> {}

impl platform::Host for View<'_> {
    fn env(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.env.to_vec())
    }

    fn log(&mut self, level: u8, text: String) -> wasmtime::Result<()> {
        let stream = if level == 0 { GuestStream::Stdout } else { GuestStream::Stderr };
        self.log.entry(stream, &text);
        Ok(())
    }

    fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM_MAX {
            return Err(wasmtime::Error::msg(
                "more than 65536 random bytes were asked for at once",
            ));
        }
        let mut bytes = vec![0; length as usize];
        alula_rt::random::fill(&mut bytes);
        Ok(bytes)
    }

    fn cancel(&mut self, id: u32) -> wasmtime::Result<()> {
        if let Some(cancel) = self.state.cancels.remove(&id) {
            let _ = cancel.send(());
        }
        Ok(())
    }

    fn body_error(&mut self, id: u32) -> wasmtime::Result<Option<String>> {
        Ok(self.state.endings.0.lock().incoming.remove(&id))
    }

    fn fail_body(&mut self, id: u32, why: String) -> wasmtime::Result<()> {
        self.state.endings.0.lock().outgoing.insert(id, why);
        Ok(())
    }
}

impl<T: JsGuest> platform::HostWithStore<T> for Js {
    fn fetch(
        access: Access<'_, T, Self>,
        id: u32,
        request: types::Request,
    ) -> wasmtime::Result<FutureReader<Result<types::Response, String>>> {
        fetch::start(access, id, request)
    }

    fn sleep(
        mut access: Access<'_, T, Self>,
        id: u32,
        milliseconds: f64,
    ) -> wasmtime::Result<FutureReader<bool>> {
        let cancelled = access.get().state.cancellable(id);
        let wait =
            Duration::try_from_secs_f64(milliseconds.max(0.0) / 1_000.0).unwrap_or(Duration::MAX);
        FutureReader::new(access, async move {
            // A dropped sender (the instance is being reset) ends the wait like a cancellation.
            let ended = alula_rt::clock::timeout(wait, cancelled).await;
            Ok::<_, wasmtime::Error>(ended.is_err())
        })
    }
}
