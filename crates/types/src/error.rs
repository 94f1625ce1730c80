//! Every public error: one stable code, one class, one HTTP mapping, one line of help.
//!
//! `docs/errors.md` is generated from this table (`cargo xtask errors`) and `cargo xtask tidy`
//! checks it.

use std::fmt;
use std::time::Duration;

/// Who can do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The author or the caller: change the input.
    User,
    /// A rule refused it.
    Policy,
    /// A limit was reached.
    Limit,
    /// Trying again may work.
    Transient,
    /// Whether it happened is not known.
    Unknown,
    /// Alula is at fault.
    Bug,
}

impl Class {
    /// The class as it is written in logs and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
            Self::Bug => "bug",
        }
    }
}

/// One row of the table of errors.
#[derive(Debug)]
pub struct Row {
    /// The code this row describes.
    pub code: Code,
    /// The stable name, for example `ALULA-E0301`.
    pub name: &'static str,
    /// Who can do something about it.
    pub class: Class,
    /// The HTTP status when it answers a request.
    pub status: u16,
    /// What happened, lower-case, without a full stop.
    pub title: &'static str,
    /// What to do.
    pub hint: &'static str,
}

macro_rules! codes {
    ($($variant:ident $name:literal $class:ident $status:literal
        $title:literal $hint:literal;)*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        /// All errors, in the order of their codes.
        pub const TABLE: &[Row] = &[
            $(Row {
                code: Code::$variant,
                name: concat!("ALULA-", $name),
                class: Class::$class,
                status: $status,
                title: $title,
                hint: $hint,
            },)*
        ];
    };
}

codes! {
    // 01xx: the manifest and the command line
    ManifestSyntax "E0101" User 400 "the manifest is not valid TOML" "mend the line the message names";
    ManifestKey "E0102" User 400 "the manifest has a key that means nothing" "check the spelling; `docs/manifest.md` lists the keys";
    ManifestValue "E0103" User 400 "a value in the manifest does not fit its key" "the message names what is allowed";
    RouteConflict "E0104" User 400 "two routes match the same requests" "change or remove one of the two places named";
    ManifestMissing "E0105" User 400 "there is no manifest" "run the command in a folder with an `alula.toml`, or make one with `alula new`";
    // 02xx: building and artifacts
    ArtifactUnreadable "E0201" User 400 "the artifact cannot be read" "check the path and run `alula build`";
    ArtifactMalformed "E0202" User 400 "the artifact is not a valid WebAssembly module or component" "rebuild it; a truncated copy is the usual cause";
    ArtifactPrecompiled "E0203" Policy 400 "the artifact is precompiled machine code" "give the `.wasm` file; Alula compiles it itself";
    ArtifactTooLarge "E0204" Limit 413 "the artifact is larger than the limit" "strip debug information or split the function";
    ExportMissing "E0205" User 400 "the artifact exports nothing that can be invoked" "export wasi:http/incoming-handler@0.2, wasi:http/handler@0.3 or wasi:cli/run";
    ImportRefused "E0206" User 400 "the artifact imports what it may not use" "grant it in the manifest or remove the import";
    CompileFailed "E0207" User 400 "compiling the artifact failed" "the message has the compiler's words";
    CompileLimit "E0208" Limit 400 "compiling the artifact took too much time or memory" "make the artifact smaller";
    ReuseRefused "E0209" User 400 "this artifact's engine cannot serve a second request" "use `reuse = \"fresh\"`";
    CacheRefused "E0210" Policy 500 "a compiled artifact in the cache was not written by this server" "it was set aside and compiled again; find out who can write to the cache folder";
    BuildFailed "E0211" User 500 "the build command failed" "mend what the compiler says";
    ToolMissing "E0212" User 500 "a tool that the build needs is missing" "install it as the message says";
    // 03xx: invocations
    GuestTrapped "E0301" User 502 "the function crashed" "the function's log has the backtrace";
    MemoryRefused "E0302" Limit 502 "the function ran out of its memory" "raise `memory` in the manifest or use less";
    DeadlinePassed "E0303" Limit 504 "the function did not finish in time" "raise `timeout` in the manifest or do less";
    CpuExhausted "E0304" Limit 504 "the function used up its CPU budget" "raise `cpu` in the manifest or do less";
    NoCapacity "E0305" Transient 503 "there is no free place to run the function" "try again";
    QueueFull "E0306" Transient 503 "too many requests wait for this function" "try again later, or raise `queue` or `instances.max`";
    QueueTimedOut "E0307" Transient 503 "the request waited too long for a free place" "try again later, or raise `instances.max`";
    NoResponse "E0308" User 502 "the function ended without a response" "every path through the handler must answer";
    GuestFailed "E0309" User 502 "the function reported an error instead of a response" "the function's log says which";
    ResponseTooLarge "E0310" Limit 502 "the function's response is larger than its limit" "raise `response` in the manifest or send less";
    Cancelled "E0311" User 499 "the client went away" "nothing needs to be done";
    StartFailed "E0312" User 502 "the function could not be started" "the function's log has the reason";
    HostCallLimit "E0313" Limit 502 "the function passed a limit of its host calls" "pass less data per call or close handles";
    LoopDetected "E0314" User 508 "functions call each other in a circle" "break the circle the message names";
    // 04xx: the gateway
    RouteMissing "E0401" User 404 "no route matches this request" "check the path, the method and the host";
    MethodRefused "E0402" User 405 "this path does not take this method" "the `allow` header lists the methods";
    BodyTooLarge "E0403" Limit 413 "the request body is larger than the limit" "send less or raise `body` in the manifest";
    HeadTooLarge "E0404" Limit 431 "the request head is larger than the limit" "send fewer or shorter header fields";
    RequestMalformed "E0405" User 400 "the request is not valid HTTP" "mend the client";
    RequestTimedOut "E0406" User 408 "the request did not arrive in time" "send it faster";
    ShuttingDown "E0407" Transient 503 "the server is shutting down" "try again";
    FileMissing "E0408" User 404 "there is no such file" "check the path";
    RangeRefused "E0409" User 416 "the range lies outside the file" "ask for a range within `content-range`";
    FunctionBroken "E0410" User 502 "the function has not been built" "mend what the build says; the terminal has it too";
    PreconditionFailed "E0411" User 412 "a condition of the request does not hold" "fetch the current state and try again";
    // 09xx: Alula itself
    Internal "E0901" Bug 500 "Alula made a mistake" "report it with the invocation id";
    SocketRefused "E0902" User 500 "a socket could not be opened" "choose another address with `--listen`";
    FileRefused "E0903" User 500 "a file or folder could not be read or written" "check the path and its permissions";
}

impl Code {
    /// This code's row.
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The stable name, for example `ALULA-E0301`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }
}

/// A failure that someone outside will see: a code, what was attempted, and what to do.
///
/// The detail never holds a guest's secrets or a backtrace: it may be sent to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The stable code.
    pub code: Code,
    /// What happened here, lower-case, naming the object.
    pub detail: String,
    /// What to do, when there is more to say than the code's own hint.
    pub hint: Option<String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault with a detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, retry_after: None }
    }

    /// A fault that says no more than its code.
    pub fn plain(code: Code) -> Self {
        Self::new(code, code.row().title)
    }

    /// The same fault with its own hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault with a time after which to try again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What to do: the fault's own hint, or its code's.
    pub fn advice(&self) -> &str {
        self.hint.as_deref().unwrap_or(self.code.row().hint)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.detail, self.code.name())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_codes_are_unique() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, index, "{}", row.name);
            assert!((400..600).contains(&row.status), "{}", row.name);
        }
        for pair in TABLE.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
    }
}
