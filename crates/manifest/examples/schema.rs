//! Prints the JSON Schema of the manifest:
//! `cargo run -p alula-manifest --example schema > docs/alula.schema.json`.

fn main() {
    println!("{:#}", alula_manifest::schema());
}
