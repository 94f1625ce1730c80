//! From a manifest's routes to the gateway's table.

use std::sync::Arc;

use alula_gateway::{Cors, Entry, FaultPage, Origins, RouteTable, StaticDir, Target};
use alula_manifest::{Manifest, Names, Target as Named};
use alula_types::FunctionName;

use crate::project::Project;

/// The table of an app. `page` gives what answers in place of a function that cannot.
pub(crate) fn table(
    project: &Project,
    page: impl Fn(&FunctionName) -> Option<Arc<FaultPage>>,
) -> RouteTable {
    let entries = project.manifest.http.iter().map(|trigger| Entry {
        pattern: trigger.pattern.clone(),
        target: match &trigger.target {
            Named::Function(name) => match page(name) {
                Some(page) => Target::Fault(page),
                None => Target::Function(name.clone()),
            },
            Named::Static(folder) => Target::Static(StaticDir::new(project.dir.join(folder))),
        },
        cors: trigger.cors.as_ref().map(cors),
    });
    RouteTable::new(entries.collect())
}

/// The routes of an app with their targets, as they are shown.
pub(crate) fn listed(manifest: &Manifest) -> impl Iterator<Item = (&str, String)> {
    manifest.http.iter().map(|trigger| {
        let target = match &trigger.target {
            Named::Function(name) => name.to_string(),
            Named::Static(folder) => format!("files in {folder}"),
        };
        (trigger.route.as_str(), target)
    })
}

fn cors(cors: &alula_manifest::Cors) -> Cors {
    let listed = |names: &Names| match names {
        Names::Any => None,
        Names::Listed(names) => Some(names.clone()),
    };
    Cors {
        origins: match &cors.origins {
            alula_manifest::Origins::Any => Origins::Any,
            alula_manifest::Origins::Listed(origins) => Origins::Only(origins.clone()),
        },
        methods: cors.methods.clone(),
        headers: listed(&cors.headers),
        expose: listed(&cors.expose).unwrap_or_else(|| vec!["*".to_owned()]),
        credentials: cors.credentials,
        max_age: Some(cors.max_age),
    }
}
