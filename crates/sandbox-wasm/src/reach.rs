//! What a person at the command line gives a served guest: folders and raw sockets.
//!
//! Manifests grant neither; only `alula serve-component` does.

use std::sync::Arc;

use alula_policy::NetGrants;
use alula_types::{Code, Fault};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::command::Dir;
use crate::command::network::{self, Network};

/// Folders and sockets of one function.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The folders, in the order in which the guest finds them.
    pub dirs: Vec<Dir>,
    /// Raw sockets and name lookups; `None` grants none.
    pub net: Option<NetGrants>,
}

impl Reach {
    /// Gives it all to an instance. The network is what checks its sockets from now on.
    pub(crate) fn give(&self, wasi: &mut WasiCtxBuilder) -> Result<Option<Arc<Network>>, Fault> {
        for dir in &self.dirs {
            let permissions = if dir.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
            wasi.preopened_dir(&dir.host, &dir.guest, permissions).map_err(|error| {
                let text = format!("opening the folder `{}`: {error:#}", dir.host.display());
                Fault::new(Code::FileRefused, text).hint("`--dir` takes folders that exist")
            })?;
        }
        Ok(network::grant(wasi, self.net.as_ref()))
    }
}
