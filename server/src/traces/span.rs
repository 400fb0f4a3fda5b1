//! A span as the collector gets it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// A span that has ended.
#[derive(Debug)]
pub(super) struct FinishedSpan {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) parent_id: Option<u64>,
    pub(super) name: String,
    pub(super) is_server: bool,
    pub(super) started: SystemTime,
    pub(super) ended: SystemTime,
    pub(super) attributes: Vec<(&'static str, Value)>,
}

/// Where a trace comes from: the header `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RemoteParent {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
}

impl FinishedSpan {
    /// The span in OTLP's JSON.
    pub(super) fn to_json(&self) -> Value {
        let attributes: Vec<Value> = self
            .attributes
            .iter()
            .map(|(key, value)| json!({"key": key, "value": attribute(value)}))
            .collect();
        let mut span = json!({
            "traceId": format!("{:032x}", self.trace_id),
            "spanId": format!("{:016x}", self.span_id),
            "name": self.name,
            "kind": if self.is_server { 2 } else { 1 },
            "startTimeUnixNano": nanos(self.started),
            "endTimeUnixNano": nanos(self.ended),
            "attributes": attributes,
        });
        if let Some(parent_id) = self.parent_id {
            span["parentSpanId"] = format!("{parent_id:016x}").into();
        }
        span
    }
}

impl RemoteParent {
    /// Reads `00-<trace>-<span>-<flags>`.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        if version.len() != 2 || trace.len() != 32 || span.len() != 16 {
            return None;
        }
        let parent = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
        };
        (parent.trace_id != 0 && parent.span_id != 0).then_some(parent)
    }
}

fn attribute(value: &Value) -> Value {
    match value {
        Value::Bool(value) => json!({"boolValue": value}),
        // 64-bit numbers are texts in this format.
        Value::Number(value) => json!({"intValue": value.to_string()}),
        Value::String(value) => json!({"stringValue": value}),
        other => json!({"stringValue": other.to_string()}),
    }
}

fn nanos(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_parents_are_believed() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = RemoteParent::parse(good).expect("well formed");

        assert_eq!(parent.span_id, 0x00f0_67aa_0ba9_02b7);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
        ] {
            assert_eq!(RemoteParent::parse(bad), None, "{bad}");
        }
    }
}
