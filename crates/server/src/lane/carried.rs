//! The methods whose parameters and results are carried untouched.

use vmcp_core::catalogue::ListKind;

/// A method that one backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    ToolsCall,
    ResourcesRead,
    PromptsGet,
}

impl Carried {
    pub(crate) fn from_method(method: &str) -> Option<Self> {
        Some(match method {
            "tools/call" => Self::ToolsCall,
            "resources/read" => Self::ResourcesRead,
            "prompts/get" => Self::PromptsGet,
            _ => return None,
        })
    }

    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::ToolsCall => "tools/call",
            Self::ResourcesRead => "resources/read",
            Self::PromptsGet => "prompts/get",
        }
    }

    /// The lists in which its owner can stand.
    pub(crate) fn lists(self) -> &'static [ListKind] {
        match self {
            Self::ToolsCall => &[ListKind::Tools],
            Self::ResourcesRead => &[ListKind::Resources, ListKind::ResourceTemplates],
            Self::PromptsGet => &[ListKind::Prompts],
        }
    }

    /// The parameter that says which backend owns the request.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::ToolsCall | Self::PromptsGet => "name",
            Self::ResourcesRead => "uri",
        }
    }
}
