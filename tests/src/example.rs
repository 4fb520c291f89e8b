//! The templates of `examples/`, or rather Foregate's part of them: what the local CloudFormation would make in a place of
//! its own (load balancers, endpoints, APIs) is made by the test through its API, and stands in the template's place.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::Cloud;
use crate::cloud::Stack;

/// A template of `examples/`, and what stands for the rest of it.
#[derive(Clone, Debug)]
pub struct Example {
    template: Value,
    references: BTreeMap<String, Value>,
    attributes: BTreeMap<String, Value>,
}

impl Example {
    /// Reads `examples/PATH`, with its parameters as they are by default.
    pub fn load(path: &str) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut python = Command::new(root.join(".venv/bin/python"));
        let python =
            python.arg(root.join("tests/local_cloud/template_as_json.py")).arg(root.join("examples").join(path));
        let output = python.output().context("failed to run .venv/bin/python: run make venv")?;
        ensure!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        let template: Value = serde_json::from_slice(&output.stdout)?;
        let mut example = Self { template, references: BTreeMap::new(), attributes: BTreeMap::new() };
        let parameters = example.template["Parameters"].as_object().cloned().unwrap_or_default();
        for (name, parameter) in parameters {
            if let Some(default) = parameter.get("Default") {
                example.references.insert(name, default.clone());
            }
        }
        Ok(example)
    }

    /// Says what a parameter is, or what `!Ref` of a resource gives that stands outside.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.references.insert(name.to_owned(), value.into());
        self
    }

    /// Says what `!GetAtt` of a resource gives that stands outside, as `LoadBalancer.DNSName`.
    pub fn with_attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// The properties of a resource, with everything filled in.
    pub fn properties(&self, resource: &str) -> Result<Value> {
        let properties = &self.template["Resources"][resource]["Properties"];
        ensure!(properties.is_object(), "there is no resource {resource}");
        Ok(self.filled(properties))
    }

    /// Deploys the template's `Custom::…` resources and waits for their end.
    pub async fn deploy(&self, cloud: &Cloud, stack: &str) -> Result<Stack> {
        let made = cloud.deploy_template(stack, self.foregates()).await?;
        ensure!(made.status.ends_with("_COMPLETE") && !made.status.contains("ROLLBACK"), "{stack}: {made:?}");
        Ok(made)
    }

    fn foregates(&self) -> Value {
        let all = self.template["Resources"].as_object().cloned().unwrap_or_default();
        let mut resources: Map<String, Value> = all
            .into_iter()
            .filter(|(_, one)| one["Type"].as_str().is_some_and(|kind| kind.starts_with("Custom::")))
            .collect();
        let ids: Vec<String> = resources.keys().cloned().collect();
        for resource in resources.values_mut() {
            resource["Properties"] = self.filled(&resource["Properties"]);
            let after: Vec<String> = match resource["DependsOn"].take() {
                Value::String(id) => vec![id],
                ids => serde_json::from_value(ids).unwrap_or_default(),
            };
            let after: Vec<String> = after.into_iter().filter(|id| ids.contains(id)).collect();
            match after.is_empty() {
                true => drop(resource.as_object_mut().map(|fields| fields.remove("DependsOn"))),
                false => resource["DependsOn"] = json!(after),
            }
        }
        let outputs = self.template["Outputs"].as_object().into_iter().flatten();
        let is_about = |value: &Value| {
            let text = value.to_string();
            ids.iter().any(|id| text.contains(&format!("\"{id}\"")) || text.contains(&format!("${{{id}")))
        };
        let outputs: Map<String, Value> = outputs
            .map(|(name, output)| (name.clone(), json!({"Value": self.filled(&output["Value"])})))
            .filter(|(_, output)| is_about(output) || output["Value"].is_string())
            .collect();
        json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, "Outputs": outputs})
    }

    /// The same with everything in it that is known; what is Foregate's own stays as it is.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) if fields.len() == 1 => self.function(fields).unwrap_or_else(|| self.each(fields)),
            Value::Object(fields) => self.each(fields),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            other => other.clone(),
        }
    }

    fn each(&self, fields: &Map<String, Value>) -> Value {
        fields.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect()
    }

    fn function(&self, fields: &Map<String, Value>) -> Option<Value> {
        let (name, argument) = fields.iter().next()?;
        match name.as_str() {
            "Ref" => self.references.get(argument.as_str()?).cloned(),
            "Fn::GetAtt" => {
                let parts: Vec<&str> = match argument {
                    Value::String(text) => vec![text],
                    other => other.as_array()?.iter().filter_map(Value::as_str).collect(),
                };
                self.attributes.get(&parts.join(".")).cloned()
            }
            "Fn::Sub" => {
                let mut text = argument.as_str()?.to_owned();
                for (name, value) in self.references.iter().chain(&self.attributes) {
                    if let Some(value) = value.as_str() {
                        text = text.replace(&format!("${{{name}}}"), value);
                    }
                }
                Some(if text.contains("${") { json!({"Fn::Sub": text}) } else { json!(text) })
            }
            _ => None,
        }
    }
}
