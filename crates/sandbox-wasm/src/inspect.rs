//! What kind of file an artifact is, and what it wants and offers.

use alula_types::limits::node;
use alula_types::{Code, Contract, Fault};
use wasi_preview1_component_adapter_provider as adapter;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wasmtime::component::types::ComponentItem;
use wasmtime::{Engine, component};
use wit_component::ComponentEncoder;

use crate::engine::{Calls, Cleaning};

/// The kind of a preview 1 command.
pub(crate) const PREVIEW1: &str = "module (preview 1)";

/// An artifact in the form in which it is compiled.
pub(crate) enum Form<'a> {
    /// A component, as it came or made from a module that carries its type.
    Component {
        bytes: std::borrow::Cow<'a, [u8]>,
        /// What the artifact was, for people.
        kind: &'static str,
        calls: Calls,
        memories: Memories,
    },
    /// A preview 1 command module.
    Command(&'a [u8]),
}

/// The memories that a component's modules define.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memories {
    count: u32,
    /// Of the largest, when an instance begins. The engine does not say for components that link
    /// several modules, as those of Python do.
    bytes_max: u64,
}

impl Form<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Component { bytes, .. } => bytes,
            Self::Command(bytes) => bytes,
        }
    }

    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Component { kind, .. } => kind,
            Self::Command(_) => PREVIEW1,
        }
    }

    /// Whether its code makes or takes asynchronous calls.
    pub(crate) const fn calls(&self) -> Calls {
        match self {
            Self::Component { calls, .. } => *calls,
            Self::Command(_) => Calls::Sequential,
        }
    }

    /// How the places of its fresh instances are best made clean.
    pub(crate) const fn cleaning(&self) -> Cleaning {
        match self {
            Self::Component { memories, .. } => Cleaning::of(memories.count, memories.bytes_max),
            // A command's one run is longer than the cleaning after it.
            Self::Command(_) => Cleaning::Released,
        }
    }
}

/// Finds out what the bytes are and brings them into the form in which they are compiled.
pub(crate) fn form(wasm: &[u8]) -> Result<Form<'_>, Fault> {
    if wasm.len() as u64 > node::ARTIFACT.0 {
        let size = wasm.len();
        let text = format!("the artifact has {size} bytes, the limit is {}", node::ARTIFACT);
        return Err(Fault::new(Code::ArtifactTooLarge, text));
    }
    refuse_other_files(wasm)?;
    match scan(wasm)? {
        Scan { encoding: Encoding::Component, memories, .. } => {
            Ok(component(wasm.into(), "component", memories))
        }
        Scan { typed: true, command, memories, .. } => encode(wasm, command, memories),
        Scan { command: true, .. } => Ok(Form::Command(wasm)),
        Scan { .. } => Err(Fault::new(
            Code::ExportMissing,
            "the artifact is a core module without `_start` and without a component type",
        )),
    }
}

fn component<'a>(
    bytes: std::borrow::Cow<'a, [u8]>,
    kind: &'static str,
    memories: Memories,
) -> Form<'a> {
    let calls = if sequential(&bytes) { Calls::Sequential } else { Calls::Concurrent };
    Form::Component { bytes, kind, calls, memories }
}

/// Whether a component is valid without the asynchronous part of the component model and without
/// the interfaces that are linked with it only. The bodies of its functions, most of its bytes,
/// cannot tell and are not looked at. What is not valid at all is for the compiler to refuse.
fn sequential(wasm: &[u8]) -> bool {
    const ASYNC: WasmFeatures = WasmFeatures::CM_ASYNC
        .union(WasmFeatures::CM_ASYNC_STACKFUL)
        .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
        .union(WasmFeatures::CM_THREADING)
        .union(WasmFeatures::CM_ERROR_CONTEXT);
    let mut validator = Validator::new_with_features(WasmFeatures::all().difference(ASYNC));
    let mut payloads = Parser::new(0).parse_all(wasm);
    payloads.all(|payload| {
        payload.is_ok_and(|payload| !names_async(&payload) && validator.payload(&payload).is_ok())
    })
}

/// Whether a section names an interface of WASI 0.3 or of the platform's own, whose functions are
/// not all asynchronous.
fn names_async(payload: &Payload<'_>) -> bool {
    let named = |name: &str| {
        name.starts_with("alula:") || name.starts_with("wasi:") && name.contains("@0.3.")
    };
    match payload {
        Payload::ComponentImportSection(section) => {
            section.clone().into_iter().flatten().any(|import| named(import.name.name))
        }
        Payload::ComponentExportSection(section) => {
            section.clone().into_iter().flatten().any(|export| named(export.name.name))
        }
        _ => false,
    }
}

fn refuse_other_files(wasm: &[u8]) -> Result<(), Fault> {
    let malformed = |text: &str| Fault::new(Code::ArtifactMalformed, text);
    if Engine::detect_precompiled(wasm).is_some() || wasm.starts_with(b"\x7fELF") {
        let text = "the artifact is machine code (ELF or a precompiled component)";
        return Err(Fault::new(Code::ArtifactPrecompiled, text));
    }
    if wasm.is_empty() {
        return Err(malformed("the artifact is empty").hint("the build wrote no output"));
    }
    if wasm.starts_with(b"\0asm") {
        return Ok(());
    }
    let text = std::str::from_utf8(&wasm[..wasm.len().min(64)]).unwrap_or_default().trim_start();
    if text.starts_with('(') {
        return Err(malformed("the artifact is WebAssembly text")
            .hint("turn it into binary first, for example with `wasm-tools parse`"));
    }
    Err(malformed("the artifact does not begin with the WebAssembly magic number `\\0asm`")
        .hint("give the `.wasm` file that a build made; this file is something else"))
}

/// Components within components: composition makes a handful, and each costs memory to look at.
const DEPTH_MAX: u32 = 100;

struct Scan {
    encoding: Encoding,
    /// Carries an embedded component type.
    typed: bool,
    /// Exports `_start`.
    command: bool,
    memories: Memories,
}

fn scan(wasm: &[u8]) -> Result<Scan, Fault> {
    let malformed = |error: wasmparser::BinaryReaderError| {
        Fault::new(Code::ArtifactMalformed, format!("reading the artifact: {error}"))
    };
    let mut scan = Scan {
        encoding: Encoding::Module,
        typed: false,
        command: false,
        memories: Memories::default(),
    };
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding, .. } => {
                if depth == 0 {
                    scan.encoding = encoding;
                }
                depth += 1;
                if depth > DEPTH_MAX {
                    let text = format!("the artifact nests components more than {DEPTH_MAX} deep");
                    return Err(Fault::new(Code::ArtifactMalformed, text));
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                scan.typed = true;
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(malformed)?;
                    let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(0);
                    let bytes = memory.initial.saturating_mul(page);
                    scan.memories.count = scan.memories.count.saturating_add(1);
                    scan.memories.bytes_max = scan.memories.bytes_max.max(bytes);
                }
            }
            Payload::ExportSection(section) if depth == 1 => {
                for export in section {
                    scan.command |= export.map_err(malformed)?.name == "_start";
                }
            }
            _ => {}
        }
    }
    Ok(scan)
}

/// Makes a component of a module that carries its component type (as wit-bindgen emits).
fn encode(wasm: &[u8], command: bool, memories: Memories) -> Result<Form<'_>, Fault> {
    let preview1 = if command {
        adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(wasm)
        .and_then(|it| it.adapter(adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, preview1))
        .and_then(|mut it| it.encode());
    match encoded {
        Ok(bytes) => Ok(component(bytes.into(), "module with a component type", memories)),
        Err(error) => {
            let text = format!("making a component of the module: {error:#}");
            Err(Fault::new(Code::ArtifactMalformed, text))
        }
    }
}

/// Whether the engine inside an artifact serves one request only, by what its producers section
/// says.
pub(crate) fn reusable(wasm: &[u8]) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        let Payload::CustomSection(section) = payload else { continue };
        let wasmparser::KnownCustom::Producers(fields) = section.as_known() else { continue };
        for field in fields.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                if value.name == "ComponentizeJS" || value.name.starts_with("StarlingMonkey") {
                    return Err("StarlingMonkey serves one request per instance".into());
                }
            }
        }
    }
    Ok(())
}

/// The interfaces every guest may import without a grant, by the start of their name.
const ALWAYS: [&str; 8] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
    "alula:js/",
];

/// A component's interfaces.
pub(crate) struct Interfaces {
    pub(crate) exports: Vec<String>,
    pub(crate) imports: Vec<String>,
    pub(crate) contract: Option<Contract>,
}

/// Lists what a component exports and imports and how it is called.
pub(crate) fn interfaces(engine: &Engine, component: &component::Component) -> Interfaces {
    let ty = component.component_type();
    let exports: Vec<String> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let imports = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let has = |start: &str| exports.iter().any(|name| name.starts_with(start));
    let contract = if has("wasi:http/incoming-handler@0.2.") || has("wasi:http/handler@0.3.") {
        Some(Contract::WasiHttp)
    } else if has("alula:js/") {
        Some(Contract::AlulaJs)
    } else if has("wasi:cli/run@0.") {
        Some(Contract::WasiCli)
    } else {
        None
    };
    Interfaces { exports, imports, contract }
}

/// The imports nobody here offers. Drafts and release candidates match by their exact name only, so
/// a known package in another version is among them.
pub(crate) fn unknown_imports(engine: &Engine, component: &component::Component) -> Vec<String> {
    let ty = component.component_type();
    ty.imports(engine)
        .filter(|(name, item)| {
            !(offered(name) && matches!(item.ty, ComponentItem::ComponentInstance(_)))
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn offered(name: &str) -> bool {
    let Some((interface, version)) = name.split_once('@') else { return false };
    let version_known = match interface.split_once(':') {
        Some(("wasi", _)) => {
            (version.starts_with("0.2.") || version.starts_with("0.3.")) && !version.contains('-')
        }
        _ => version.starts_with("0.1."),
    };
    version_known && ALWAYS.iter().any(|start| interface.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> Code {
        form(bytes).err().expect("refused").code
    }

    #[test]
    fn other_files_are_refused_with_their_own_code() {
        assert_eq!(refusal(b""), Code::ArtifactMalformed);
        assert_eq!(refusal(b"(module)"), Code::ArtifactMalformed);
        assert_eq!(refusal(b"#!/bin/sh\n"), Code::ArtifactMalformed);
        assert_eq!(refusal(b"\x7fELF\x02\x01\x01"), Code::ArtifactPrecompiled);
        assert_eq!(refusal(b"\0asm"), Code::ArtifactMalformed);
        assert_eq!(refusal(b"\0asm\x01\0\0\0"), Code::ExportMissing);
        assert_eq!(refusal(b"\0asm\x01\0\0\0\x01\xff"), Code::ArtifactMalformed);
    }

    #[test]
    fn asynchronous_types_and_calls_make_a_component_concurrent() {
        let calls = |text: &str| {
            let wasm = wat::parse_str(text).expect("well-formed");
            form(&wasm).expect("a component").calls()
        };
        assert_eq!(calls("(component)"), Calls::Sequential);
        assert_eq!(calls("(component (type (func (param \"a\" u32))))"), Calls::Sequential);
        for asynchronous in [
            "(component (type (func async (param \"a\" u32))))",
            "(component (type (stream u8)))",
            "(component (component (type (future))))",
            "(component (import \"a\" (instance (export \"b\" (func async)))))",
            "(component (core func (canon task.cancel)))",
            "(component (import \"wasi:random/random@0.3.0\" (instance)))",
        ] {
            assert_eq!(calls(asynchronous), Calls::Concurrent, "{asynchronous}");
        }
    }

    #[test]
    fn components_nested_without_end_are_refused() {
        let nested = |depth: usize| {
            let empty = wat::parse_str("(component)").expect("well-formed");
            let bytes = (1..depth).fold(empty.clone(), |inner, _| {
                // Section 4 is a component; its length in two bytes of LEB128.
                let length = u16::try_from(inner.len()).expect("short");
                let [low, high] = [(length & 0x7f) as u8 | 0x80, (length >> 7) as u8];
                [empty.as_slice(), &[4, low, high], &inner].concat()
            });
            form(&bytes).map(|form| form.calls())
        };
        assert_eq!(nested(100).ok(), Some(Calls::Sequential));
        assert_eq!(nested(101).err().map(|fault| fault.code), Some(Code::ArtifactMalformed));
    }

    #[test]
    fn the_largest_memory_of_all_modules_counts() {
        let text = "(component (core module (memory 1)) (core module (memory 300) (memory 2)))";
        let wasm = wat::parse_str(text).expect("well-formed");
        let form = form(&wasm).expect("a component");
        let Form::Component { memories, .. } = &form else { panic!("a component") };
        assert_eq!(*memories, Memories { count: 3, bytes_max: 300 << 16 });
        assert_eq!(form.cleaning(), Cleaning::LargeCopied);
    }

    #[test]
    fn only_released_versions_of_known_interfaces_are_offered() {
        for good in ["wasi:io/streams@0.2.6", "wasi:http/types@0.3.0", "alula:js/host@0.1.0"] {
            assert!(offered(good), "{good}");
        }
        for bad in [
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:http/types@0.3.0-rc-2026-03-15",
            "wasi:io/streams",
            "wasi:http/types@0.1.0",
            "acme:db/query@0.2.0",
        ] {
            assert!(!offered(bad), "{bad}");
        }
    }
}
