//! The core's public traits are its ports: each shows how it is used, and stays small.

use std::fs;

use anyhow::{Context, Result};
use syn::{Attribute, Expr, ExprLit, Item, ItemTrait, Lit, Meta, TraitItem, Visibility};

use super::Finding;
use crate::project::Project;

/// More than this, and the trait has more than one meaning.
const METHODS_MAX: usize = 8;

/// Reads every file of the core.
pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in project.sources("chatcore/src", &[".rs"])? {
        let name = file.display().to_string();
        let text = fs::read_to_string(project.root().join(&file)).with_context(|| name.clone())?;
        findings.extend(judge(&name, &text).with_context(|| name.clone())?);
    }
    Ok(findings)
}

fn judge(file: &str, text: &str) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    judge_items(file, &syn::parse_file(text)?.items, &mut findings);
    Ok(findings)
}

fn judge_items(file: &str, items: &[Item], findings: &mut Vec<Finding>) {
    for item in items {
        match item {
            Item::Trait(item) if matches!(item.vis, Visibility::Public(_)) => {
                judge_trait(file, item, findings);
            }
            Item::Mod(item) => {
                let within = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                judge_items(file, within, findings);
            }
            _ => {}
        }
    }
}

fn judge_trait(file: &str, item: &ItemTrait, findings: &mut Vec<Finding>) {
    let name = &item.ident;
    if !item
        .attrs
        .iter()
        .filter_map(doc_text)
        .any(|line| line.contains("```"))
    {
        findings.push(Finding::Broken(format!(
            "{file}: trait {name} has no example in its docs"
        )));
    }
    let methods = item
        .items
        .iter()
        .filter(|item| matches!(item, TraitItem::Fn(_)))
        .count();
    if methods > METHODS_MAX {
        findings.push(Finding::Broken(format!(
            "{file}: trait {name} has {methods} methods, at most {METHODS_MAX}: split it by meaning"
        )));
    }
}

/// The text of one doc line, or nothing for another attribute.
fn doc_text(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = &pair.value
    else {
        return None;
    };
    pair.path.is_ident("doc").then(|| text.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "/// ```\n/// let x = 1;\n/// ```\n";

    fn methods(count: usize) -> String {
        (0..count).map(|n| format!("fn f{n}(&self);")).collect()
    }

    #[test]
    fn a_small_trait_with_an_example_is_fine() {
        let text = format!("{EXAMPLE} pub trait Port {{ const X: u8; {} }}", methods(8));
        assert_eq!(judge("a.rs", &text).unwrap(), []);
    }

    #[test]
    fn a_ninth_method_and_a_missing_example_are_found_in_inner_modules_too() {
        let text = format!(
            "pub mod inner {{ /// No example.\n pub trait Port {{ {} }} }}",
            methods(9)
        );
        assert_eq!(judge("a.rs", &text).unwrap().len(), 2);
    }

    #[test]
    fn a_trait_of_the_crate_alone_may_be_as_it_likes() {
        let text = format!("pub(crate) trait Inner {{ {} }}", methods(9));
        assert_eq!(judge("a.rs", &text).unwrap(), []);
    }
}
