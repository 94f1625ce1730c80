//! Why a guest's run ended, and which public error that is: the one table of traps and errors.

use alula_types::{Code, Fault, FunctionName};
use wasmtime::component::ResourceTableError;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Why the host ended a guest that would have gone on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The wall deadline passed.
    Deadline,
    /// The CPU budget is used up.
    Cpu,
    /// It went on too long after its response.
    AfterResponse,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deadline => "the deadline passed",
            Self::Cpu => "the CPU budget is used up",
            Self::AfterResponse => "the time after the response is used up",
        })
    }
}

impl std::error::Error for Stop {}

impl Stop {
    /// The public error.
    pub(crate) fn fault(self, function: &FunctionName) -> Fault {
        match self {
            Self::Deadline => {
                Fault::new(Code::DeadlinePassed, format!("`{function}` did not finish in time"))
            }
            Self::Cpu => {
                Fault::new(Code::CpuExhausted, format!("`{function}` used up its CPU budget"))
            }
            Self::AfterResponse => Fault::new(
                Code::DeadlinePassed,
                format!("`{function}` went on too long after its response"),
            ),
        }
    }
}

/// What the limiter saw, because a trap alone does not say that memory was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Refused {
    /// A memory or a table could not grow.
    pub(crate) memory: bool,
}

/// The public error for an error of the engine while a guest ran.
pub(crate) fn fault(function: &FunctionName, error: &wasmtime::Error, refused: Refused) -> Fault {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stop.fault(function);
    }
    if let Some(fault) = error.downcast_ref::<Fault>() {
        // A script engine makes an exception of refused memory, which the script's handler then
        // throws.
        if !(refused.memory && fault.code == Code::GuestFailed) {
            return fault.clone();
        }
    }
    if refused.memory {
        let text = format!("`{function}` ran out of its memory");
        return Fault::new(Code::MemoryRefused, text);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let text = format!("`{function}` ended with exit code {} and without a response", exit.0);
        return Fault::new(Code::NoResponse, text);
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => trapped(function, *trap),
        None => other(function, error),
    }
}

fn trapped(function: &FunctionName, trap: Trap) -> Fault {
    let crashed = |how: &str| Fault::new(Code::GuestTrapped, format!("`{function}` {how}"));
    match trap {
        Trap::StackOverflow => crashed("overflowed its stack"),
        Trap::MemoryOutOfBounds | Trap::HeapMisaligned => {
            crashed("read or wrote outside its memory")
        }
        Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature => {
            crashed("called a function that is not there")
        }
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => {
            crashed("computed a number that does not exist")
        }
        Trap::UnreachableCodeReached => {
            crashed("crashed (it reached an `unreachable` instruction)")
        }
        Trap::OutOfFuel | Trap::Interrupt => Stop::Deadline.fault(function),
        // Every promise and future that it waited for has ended.
        Trap::NoAsyncResult => {
            Fault::new(Code::NoResponse, format!("`{function}` ended without a response"))
        }
        _ => crashed("crashed"),
    }
}

fn other(function: &FunctionName, error: &wasmtime::Error) -> Fault {
    let text = format!("{:#}", error);
    let full = matches!(error.downcast_ref(), Some(ResourceTableError::Full));
    // The engine has no types for these; the texts are checked by the tests of each limit.
    if full || text.contains("fuel") || text.contains("handle") && text.contains("limit") {
        let text = format!("`{function}` passed a limit of its host calls");
        return Fault::new(Code::HostCallLimit, text);
    }
    if error.downcast_ref::<WasmBacktrace>().is_some() {
        return Fault::new(Code::GuestTrapped, format!("`{function}` crashed"));
    }
    Fault::new(Code::StartFailed, format!("`{function}` could not be run"))
}
