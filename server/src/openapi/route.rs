//! What the document says of one route.

use http::Method;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A route, described by a chain of words: see `routes.rs`.
pub struct Route {
    pub(super) method: Method,
    /// Below `/api/v1`, or with two slashes in front of it: from the root.
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) needs: Needs,
    pub(super) query: Vec<Parameter>,
    pub(super) body: Option<Content>,
    pub(super) status: u16,
    pub(super) answer: Option<Content>,
    pub(super) has_location: bool,
    pub(super) conflict: Option<&'static str>,
    pub(super) schemas: Schemas,
}

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nobody,
    Anybody,
    Browser,
}

/// A body: its media type and its schema.
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) schema: Value,
}

/// A parameter of the query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) description: &'static str,
}

/// Named schemas.
pub(super) type Schemas = Map<String, Value>;

pub(super) fn get(tag: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route::new(Method::GET, tag, path, summary)
}

pub(super) fn post(tag: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route::new(Method::POST, tag, path, summary)
}

pub(super) fn put(tag: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route::new(Method::PUT, tag, path, summary)
}

pub(super) fn patch(tag: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route::new(Method::PATCH, tag, path, summary)
}

pub(super) fn delete(tag: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route::new(Method::DELETE, tag, path, summary)
}

impl Route {
    fn new(method: Method, tag: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            tag,
            summary,
            needs: Needs::Anybody,
            query: Vec::new(),
            body: None,
            status: 204,
            answer: None,
            has_location: false,
            conflict: None,
            schemas: Map::new(),
        }
    }

    /// Nobody need be signed in.
    pub(super) fn open(mut self) -> Self {
        self.needs = Needs::Nobody;
        self
    }

    /// Only for browsers, never with an API key.
    pub(super) fn browser(mut self) -> Self {
        self.needs = Needs::Browser;
        self
    }

    /// Takes JSON.
    pub(super) fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(self.json::<T>());
        self
    }

    /// Takes the same as YAML.
    pub(super) fn takes_yaml<T: ToSchema>(mut self) -> Self {
        self.body = Some(Content {
            media_type: "application/yaml",
            ..self.json::<T>()
        });
        self
    }

    /// Takes something else.
    pub(super) fn takes_raw(mut self, media_type: &'static str, schema: Value) -> Self {
        self.body = Some(Content { media_type, schema });
        self
    }

    /// Answers 200 with JSON.
    pub(super) fn gives<T: ToSchema>(self) -> Self {
        self.answers::<T>(200)
    }

    /// Answers 201 with the object, and its address in `Location`.
    pub(super) fn creates<T: ToSchema>(mut self) -> Self {
        self.has_location = true;
        self.answers::<T>(201)
    }

    /// Answers some status with JSON.
    pub(super) fn answers<T: ToSchema>(mut self, status: u16) -> Self {
        self.status = status;
        self.answer = Some(self.json::<T>());
        self
    }

    /// Answers 200 with something else.
    pub(super) fn gives_raw(mut self, media_type: &'static str, schema: Value) -> Self {
        self.status = 200;
        self.answer = Some(Content { media_type, schema });
        self
    }

    /// Answers 200 with one page of a list.
    pub(super) fn pages<T: ToSchema>(mut self) -> Self {
        let item = self.json::<T>().schema;
        self.status = 200;
        self.answer = Some(Content {
            media_type: "application/json",
            schema: json!({
                "type": "object",
                "required": ["items", "next"],
                "properties": {
                    "items": {"type": "array", "items": item},
                    "next": {
                        "type": ["string", "null"],
                        "description": "What to give as `after` for the next page; null at the end.",
                    },
                },
            }),
        });
        self.query(
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
            "Items on the page.",
        )
        .query(
            "after",
            json!({"type": "string"}),
            "`next` of the page before.",
        )
    }

    /// Takes a parameter in the query.
    pub(super) fn query(
        mut self,
        name: &'static str,
        schema: Value,
        description: &'static str,
    ) -> Self {
        self.query.push(Parameter {
            name,
            schema,
            description,
        });
        self
    }

    /// May be answered 409, and why.
    pub(super) fn conflicts(mut self, why: &'static str) -> Self {
        self.conflict = Some(why);
        self
    }

    /// The path from the root.
    pub(super) fn full_path(&self) -> String {
        match self.path.strip_prefix("//") {
            Some(path) => format!("/{path}"),
            None => format!("/api/v1{}", self.path),
        }
    }

    /// A reference to a type's schema, which is kept with those that it refers to.
    fn json<T: ToSchema>(&mut self) -> Content {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            let schema = serde_json::to_value(schema).expect("a schema is JSON");
            self.schemas.insert(name, schema);
        }
        Content {
            media_type: "application/json",
            schema: json!({"$ref": format!("#/components/schemas/{}", T::name())}),
        }
    }
}
