//! Every key of a manifest: the one list that the parser, the schema and the documentation follow.

/// One kind of table.
#[derive(Debug)]
pub struct Table {
    /// The table's name in the schema.
    pub name: &'static str,
    /// What it describes.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Keys that must be there.
    pub required: &'static [&'static str],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What it is for, with its default.
    pub doc: &'static str,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// A name of the platform: lower-case letters, digits and hyphens.
    Name,
    /// A number of bytes, `"64MiB"`.
    Size,
    /// A time, `"30s"`.
    Time,
    /// A whole number from 0.
    Count,
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    Texts,
    /// A table of texts.
    TextMap,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A table.
    Table(&'static Table),
    /// A table whose keys are names chosen by the author.
    Named(&'static Table),
    /// A list of tables.
    List(&'static Table),
    /// One of these words, or a table.
    ChoiceOr(&'static [&'static str], &'static Table),
    /// Known, but not available yet; the text says what it will be.
    Later(&'static str),
}

macro_rules! table {
    ($(#[doc = $doc:literal])* $id:ident $name:literal required $required:tt {
        $($key:literal $kind:expr, $text:literal;)*
    }) => {
        $(#[doc = $doc])*
        pub static $id: Table = Table {
            name: $name,
            doc: concat!($($doc),*),
            keys: &[$(Key { name: $key, kind: $kind, doc: $text }),*],
            required: &$required,
        };
    };
}

use Kind::{
    Choice, ChoiceOr, Count, Flag, Later, List, Name, Named, Size, Text, TextMap, Texts, Time,
};

/// The calling conventions that a manifest can name.
pub const CONTRACTS: [&str; 3] = ["wasi-http", "wasi-cli", "alula-js"];
/// The engines that a manifest can name.
pub const ENGINES: [&str; 2] = ["quickjs", "starlingmonkey"];
/// The ways of reuse that can be written as one word.
pub const REUSE: [&str; 3] = ["fresh", "warm", "keyed"];

table! {
    /// An Alula app.
    ROOT "manifest" required ["app"] {
        "app" Kind::Table(&APP), "the app itself";
        "functions" Named(&FUNCTION), "the functions, by name";
        "triggers" Kind::Table(&TRIGGERS), "what causes invocations";
        "overlay" Named(&OVERLAY), "values that `--overlay NAME` puts over the others; lists are replaced whole";
    }
}

table! {
    /// The app itself.
    APP "app" required ["name"] {
        "name" Name, "the app's name";
    }
}

table! {
    /// What an overlay may change.
    OVERLAY "overlay" required [] {
        "app" Kind::Table(&APP), "the app itself";
        "functions" Named(&FUNCTION), "the functions, by name";
        "triggers" Kind::Table(&TRIGGERS), "what causes invocations";
    }
}

table! {
    /// One function.
    FUNCTION "function" required [] {
        "component" Text, "the WebAssembly component or module, relative to this file";
        "source" Text, "the entry file (.js, .ts, .py or .c) that `alula build` makes a component of";
        "engine" Choice(&ENGINES), "what runs a JavaScript or TypeScript `source`; default quickjs";
        "build" Text, "the shell command that `alula build` runs in this folder first";
        "watch" Texts, "more files and folders that `alula dev` watches";
        "contract" Choice(&CONTRACTS), "the calling convention; by default what the artifact exports";
        "memory" Size, "the sum of an instance's memories; default 128MiB";
        "timeout" Time, "from the request head to the last byte; default 30s";
        "cpu" Time, "how long the function's own code may run; default 10s";
        "reuse" ChoiceOr(&REUSE, &WARM), "whether an instance serves more than one invocation; default fresh";
        "concurrency" Count, "invocations at the same time in one instance; only 1 for now";
        "instances" Kind::Table(&INSTANCES), "how many instances there may be";
        "queue" Count, "requests that may wait for a place; default 1000";
        "queue_wait" Time, "how long one may wait; default 5s";
        "body" Size, "the largest request body; default 1GiB";
        "response" Size, "the largest response body; default 1GiB";
        "log_rate" Size, "log bytes per second, more are dropped and counted; default 64KiB";
        "after_response" Time, "how long it may go on after its response; default 30s";
        "env" TextMap, "its environment variables";
        "durable" Flag, "whether it is a durable execution; only false for now";
        "grants" Kind::Table(&GRANTS), "what it may reach; nothing by default";
        "image" Later("container images come with the container sandbox"), "a container image";
        "command" Later("processes come with the container sandbox"), "a program to start";
        "dir" Later("processes come with the container sandbox"), "the folder of the program";
    }
}

table! {
    /// When a reused instance is retired.
    WARM "warm" required ["mode"] {
        "mode" Choice(&REUSE), "warm";
        "requests" Count, "requests that one instance serves; default 1000";
        "age" Time, "how old it may get; default 1h";
        "idle" Time, "how long it may lie idle; default 10s";
    }
}

table! {
    /// How many instances there may be.
    INSTANCES "instances" required [] {
        "min" Count, "kept even when idle; default 0";
        "max" Count, "invocations at the same time; default 500";
        "provisioned" Count, "started before the first request; default 0";
    }
}

table! {
    /// What a function may reach.
    GRANTS "grants" required [] {
        "http" Texts, "origins for outbound HTTP, such as `https://api.example.com`";
        "kv" Later("key-value stores come with the store"), "key-value stores";
        "sql" Later("SQL databases come with the store"), "SQL databases";
        "blob" Later("buckets come with the store"), "buckets";
        "queue" Later("queues come with events"), "queues";
        "secrets" Later("secrets come with the server"), "secrets";
        "model" Later("models come with AI inference"), "models";
    }
}

table! {
    /// What causes invocations.
    TRIGGERS "triggers" required [] {
        "http" List(&HTTP), "the routes";
        "schedule" Later("schedules come with events"), "invocations by the clock";
        "queue" Later("queues come with events"), "invocations by messages";
        "event" Later("subscriptions come with events"), "invocations by events";
    }
}

table! {
    /// One route.
    HTTP "http" required ["route"] {
        "route" Text, "`[METHOD] [host]/path/{param}/{rest...}`; the most specific route wins";
        "function" Name, "the function that answers";
        "static" Text, "the folder whose files answer; the route ends with `{name...}`";
        "cors" Kind::Table(&CORS), "which other origins' pages may call it; none by default";
    }
}

table! {
    /// Which other origins' pages may call a route.
    CORS "cors" required ["origins"] {
        "origins" Texts, "origins such as `https://example.com`, or `*` for all";
        "methods" Texts, "methods a page may use; default GET, HEAD, POST";
        "headers" Texts, "request headers a page may send, or `*`; default none";
        "expose" Texts, "response headers a page may read, or `*`; default none";
        "credentials" Flag, "whether cookies may be sent; default false";
        "max_age" Time, "how long a browser keeps the permission; default 10m";
    }
}
