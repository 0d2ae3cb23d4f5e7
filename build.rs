//! Builds the migrations in anew when one of their files changes.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
