//! Mends a leak in what componentize-py generates: bytes that are handed to an import are copied,
//! and the copy is never freed, so that a function which streams runs out of memory.
//!
//! The generated module asks its runtime for each list with `wit_dylib_pop_list`, which gives a
//! length and, for bytes, the copy. Lists of other types are freed by `wit_dylib_dealloc_bytes`,
//! which waits until the call is over. Here the same call is added for the copies. Nothing else
//! refers to places in that module's code, so only the lengths around it change.

use anyhow::{Context, bail};
use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

const POP_LIST: &str = "wit_dylib_pop_list";
const FREE: &str = "wit_dylib_dealloc_bytes";

/// The component with the leak mended. Fails when it is not where it was found.
pub(super) fn mend(component: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut mended = Vec::with_capacity(component.len() + 256);
    let (mut taken, mut places) = (0, 0);
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { unchecked_range, .. } if depth == 0 => {
                depth += 1;
                let Some((module, count)) = module(&component[unchecked_range.clone()])? else {
                    continue;
                };
                let head = section_start(component, unchecked_range.start, unchecked_range.len())?;
                mended.extend_from_slice(&component[taken..head]);
                section(&mut mended, 1, &module);
                taken = unchecked_range.end;
                places += count;
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = usize::saturating_sub(depth, 1),
            _ => {}
        }
    }
    if places == 0 {
        bail!("there is no generated call that takes a list");
    }
    mended.extend_from_slice(&component[taken..]);
    Ok(mended)
}

/// Where the head (id and length) of a section begins whose content begins at `content`.
fn section_start(bytes: &[u8], content: usize, length: usize) -> anyhow::Result<usize> {
    // Writers may pad the length, to fill it in later; five bytes are the longest form.
    for width in 1..=5 {
        let start = content.checked_sub(width).context("a section without a head")?;
        let mut reader = BinaryReader::new(&bytes[start..content], start);
        if reader.read_var_u32().is_ok_and(|read| read as usize == length) && reader.eof() {
            return start.checked_sub(1).context("a section without an id");
        }
    }
    bail!("the length of a section does not stand before it")
}

/// The module with its code mended, when it is the one with the generated calls.
fn module(bytes: &[u8]) -> anyhow::Result<Option<(Vec<u8>, usize)>> {
    let (mut pop, mut free, mut functions) = (None, None, 0);
    let mut mended = bytes[..8].to_vec();
    let (mut bodies, mut places, mut left) = (Vec::new(), 0, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import?;
                    if matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)) {
                        match import.name {
                            POP_LIST => pop = Some(functions),
                            FREE => free = Some(functions),
                            _ => {}
                        }
                        functions += 1;
                    }
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                left = *count;
                leb(&mut bodies, left as usize);
            }
            Payload::CodeSectionEntry(body) => {
                let (Some(pop), Some(free)) = (pop, free) else { return Ok(None) };
                let range = body.range();
                let (code, count) = function(body, &bytes[range.clone()], range.start, pop, free)?;
                leb(&mut bodies, code.len());
                bodies.extend_from_slice(&code);
                places += count;
                left -= 1;
                if left == 0 {
                    section(&mut mended, 10, &bodies);
                }
            }
            _ => {}
        }
        // The code section was written above; all others stay as they are.
        if let Some((id, range)) = payload.as_section().filter(|(id, _)| *id != 10) {
            section(&mut mended, id, &bytes[range]);
        }
    }
    Ok((places > 0).then_some((mended, places)))
}

/// One function's body with the missing calls added.
fn function(
    body: &FunctionBody<'_>,
    bytes: &[u8],
    start: usize,
    pop: u32,
    free: u32,
) -> anyhow::Result<(Vec<u8>, usize)> {
    let mut steps: Vec<(Operator<'_>, usize)> = Vec::new();
    for step in body.get_operators_reader()?.into_iter_with_offsets() {
        steps.push(step?);
    }
    let (mut code, mut taken, mut places) = (Vec::new(), 0, 0);
    for index in 0..steps.len() {
        if !matches!(steps[index].0, Operator::Call { function_index } if function_index == pop) {
            continue;
        }
        let end = index + 7;
        let (Some(list), Some(next)) = (List::at(&steps, index), steps.get(end)) else {
            bail!("the generated code has another shape than expected");
        };
        let at = next.1 - start;
        code.extend_from_slice(&bytes[taken..at]);
        list.free(&mut code, free);
        taken = at;
        places += 1;
    }
    code.extend_from_slice(&bytes[taken..]);
    Ok((code, places))
}

/// The locals that hold a list's call, bytes and length.
struct List {
    call: u32,
    data: u32,
    length: u32,
}

impl List {
    /// Reads them off the steps around the call: the call's own state is the first argument; what
    /// follows is `local.set length`, the load of the pointer that was written, `local.set data`.
    fn at(steps: &[(Operator<'_>, usize)], index: usize) -> Option<Self> {
        let before = steps.get(index.checked_sub(5)?..index)?;
        let after = steps.get(index + 1..index + 7)?;
        let Operator::LocalGet { local_index: call } = before[0].0 else { return None };
        let Operator::LocalSet { local_index: length } = after[0].0 else { return None };
        let Operator::I32Load { .. } = after[4].0 else { return None };
        let Operator::LocalSet { local_index: data } = after[5].0 else { return None };
        Some(Self { call, data, length })
    }

    /// `if data && length { free(call, data, length, align = 1, later = true) }`; without data it
    /// is a list of another type, which is freed already.
    fn free(&self, code: &mut Vec<u8>, free: u32) {
        const LOCAL_GET: u8 = 0x20;
        const IF: [u8; 2] = [0x04, 0x40];
        const ONE: [u8; 2] = [0x41, 1];
        let get = |code: &mut Vec<u8>, local: u32| {
            code.push(LOCAL_GET);
            leb(code, local as usize);
        };
        for condition in [self.data, self.length] {
            get(code, condition);
            code.extend(IF);
        }
        for argument in [self.call, self.data, self.length] {
            get(code, argument);
        }
        code.extend([ONE, ONE].concat());
        code.push(0x10);
        leb(code, free as usize);
        code.extend([0x0b, 0x0b]);
    }
}

fn section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    leb(out, content.len());
    out.extend_from_slice(content);
}

/// Appends an unsigned LEB128 number.
fn leb(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
