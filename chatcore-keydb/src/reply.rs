//! What the server answered, taken apart.

use std::{fmt::Display, str::FromStr};

use bytes::Bytes;
use chatcore::error::Result;
use redis::Value;

use crate::error::{from_server, unexpected};

/// The answers to one command, taken one after another.
#[derive(Debug)]
pub(crate) struct Reply {
    operation: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Reply {
    /// An array's elements.
    pub(crate) fn new(operation: &'static str, value: Value) -> Result<Self> {
        match value {
            Value::Array(values) => Ok(Self {
                operation,
                values: values.into_iter(),
            }),
            Value::ServerError(error) => Err(from_server(operation, &error)),
            _ => Err(unexpected(operation, "an answer that is no list")),
        }
    }

    pub(crate) fn left(&self) -> usize {
        self.values.len()
    }

    fn next(&mut self) -> Result<Value> {
        self.values
            .next()
            .ok_or_else(|| unexpected(self.operation, "an answer that is too short"))
    }

    /// A list in the list.
    pub(crate) fn list(&mut self) -> Result<Self> {
        Self::new(self.operation, self.next()?)
    }

    /// Bytes, or that there are none.
    pub(crate) fn bytes(&mut self) -> Result<Option<Bytes>> {
        bytes(self.operation, self.next()?)
    }

    /// A text that must be there.
    pub(crate) fn text(&mut self) -> Result<String> {
        let found = self.bytes()?;
        let found =
            found.ok_or_else(|| unexpected(self.operation, "an answer without its text"))?;
        text(self.operation, found)
    }

    /// A number, written as a text.
    pub(crate) fn number<T: FromStr<Err: Display>>(&mut self) -> Result<T> {
        number(self.operation, &self.text()?)
    }

    /// All that is left, as bytes.
    pub(crate) fn rest(mut self) -> Result<Vec<Bytes>> {
        let mut all = Vec::with_capacity(self.left());
        while self.left() > 0 {
            let found = self.bytes()?;
            all.push(found.ok_or_else(|| unexpected(self.operation, "a hole in a list"))?);
        }
        Ok(all)
    }
}

/// Bytes, or that there are none.
pub(crate) fn bytes(operation: &'static str, value: Value) -> Result<Option<Bytes>> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        Value::SimpleString(text) => Ok(Some(Bytes::from(text))),
        Value::Okay => Ok(Some(Bytes::from_static(b"OK"))),
        Value::Int(number) => Ok(Some(Bytes::from(number.to_string()))),
        Value::ServerError(error) => Err(from_server(operation, &error)),
        _ => Err(unexpected(operation, "an answer that is no text")),
    }
}

/// An integer.
pub(crate) fn integer(operation: &'static str, value: Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(number),
        Value::ServerError(error) => Err(from_server(operation, &error)),
        _ => Err(unexpected(operation, "an answer that is no integer")),
    }
}

pub(crate) fn text(operation: &'static str, bytes: Bytes) -> Result<String> {
    String::from_utf8(bytes.into()).map_err(|error| {
        unexpected(operation, "a text that is not UTF-8").with_source(error.utf8_error())
    })
}

pub(crate) fn number<T: FromStr<Err: Display>>(operation: &'static str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|error| unexpected(operation, "no number").with_context("cause", error))
}
