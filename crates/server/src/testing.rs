//! What tests hear of the log.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::DefaultGuard,
};

/// The events of a level and above that are logged on this thread meanwhile.
pub(crate) struct Listening {
    lines: Arc<Mutex<Vec<String>>>,
    _default: DefaultGuard,
}

impl Listening {
    pub(crate) fn at(level: Level) -> Self {
        Self::to(level, None)
    }

    /// Those from one file alone.
    pub(crate) fn at_file(level: Level, file: &'static str) -> Self {
        Self::to(level, Some(file))
    }

    fn to(level: Level, file: Option<&'static str>) -> Self {
        let lines = Arc::default();
        let _default = tracing::subscriber::set_default(Listener { level, file, lines: Arc::clone(&lines) });
        Self { lines, _default }
    }

    /// The fields of each event since the last time, but for how long it took.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Listener {
    level: Level,
    file: Option<&'static str>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && self.file.is_none_or(|file| metadata.file() == Some(file))
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.0.trim_end().to_owned());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "milliseconds" {
            self.0 += &format!("{}={value:?} ", field.name());
        }
    }
}
