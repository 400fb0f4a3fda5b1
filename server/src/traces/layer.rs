//! Gathers spans as they begin and end.

use std::fmt::Debug;
use std::time::SystemTime;

use serde_json::Value;
use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::span::{FinishedSpan, RemoteParent};

/// Fields that say something of the span itself and are no attributes.
const NAME: &str = "otel.name";
const KIND: &str = "otel.kind";
const PARENT: &str = "traceparent";

/// Hands ended spans on; drops them while the collector is too slow.
#[derive(Debug)]
pub struct TraceLayer {
    sender: mpsc::Sender<FinishedSpan>,
}

/// A span under way.
#[derive(Debug)]
struct OpenSpan {
    span_id: u64,
    trace_id: u128,
    parent_id: Option<u64>,
    started: SystemTime,
    /// When it was left last: it may be kept alive by what came of it.
    left: SystemTime,
    fields: Fields,
}

#[derive(Debug, Default)]
struct Fields {
    name: Option<String>,
    is_server: bool,
    parent: Option<RemoteParent>,
    attributes: Vec<(&'static str, Value)>,
}

impl TraceLayer {
    pub(super) fn new(sender: mpsc::Sender<FinishedSpan>) -> Self {
        Self { sender }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let local = span.scope().skip(1).find_map(|parent| {
            let extensions = parent.extensions();
            let parent = extensions.get::<OpenSpan>()?;
            Some((parent.trace_id, parent.span_id))
        });
        let parent = fields
            .parent
            .map(|parent| (parent.trace_id, parent.span_id))
            .or(local);
        let now = SystemTime::now();
        span.extensions_mut().insert(OpenSpan {
            span_id: rand::random::<u64>().max(1),
            trace_id: parent.map_or_else(|| rand::random::<u128>().max(1), |(trace, _)| trace),
            parent_id: parent.map(|(_, span)| span),
            started: now,
            left: now,
            fields,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<OpenSpan>()
        {
            values.record(&mut open.fields);
        }
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<OpenSpan>()
        {
            open.left = SystemTime::now();
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<OpenSpan>() else {
            return;
        };
        let finished = FinishedSpan {
            trace_id: open.trace_id,
            span_id: open.span_id,
            parent_id: open.parent_id,
            name: open.fields.name.unwrap_or_else(|| span.name().to_owned()),
            is_server: open.fields.is_server,
            started: open.started,
            ended: open.left,
            attributes: open.fields.attributes,
        };
        if self.sender.try_send(finished).is_err() {
            metrics::counter!("agentarea_trace_spans_dropped_total").increment(1);
        }
    }
}

impl Fields {
    fn keep(&mut self, field: &Field, value: Value) {
        self.attributes.retain(|(name, _)| *name != field.name());
        self.attributes.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            NAME => self.name = Some(value.to_owned()),
            KIND => self.is_server = value == "server",
            PARENT => self.parent = RemoteParent::parse(value),
            _ => self.keep(field, value.into()),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.keep(field, format!("{value:?}").into());
    }
}
