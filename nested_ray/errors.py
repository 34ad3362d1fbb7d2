"""Every error nested-ray raises on purpose.

NestedRayError
├── ConfigError               a setting is unknown, missing or contradicts another
├── CorpusError               the code to learn from cannot be used
│   ├── SourceNotFound        a folder, repository, revision or package is not there
│   └── NoUsableFiles         every file was rejected, or too few remain to split
├── TrainingError             a run cannot go on
│   ├── TargetsMismatch       soft targets belong to another batch or tokenizer
│   ├── TeacherFailed         a remote level can teach nothing
│   └── LevelFailed           one level's run ended with an error after its retries
├── StorageError              Postgres, S3 or Redis
│   ├── StorageUnavailable    a server does not answer
│   └── DigestMismatch        bytes differ from their sha256
├── RegistryError             what is asked for is not registered
│   ├── NestNotFound
│   ├── VersionNotFound
│   ├── AliasNotFound
│   └── AliasConflict         an alias moved since it was read
├── InferenceError            an engine cannot answer
│   ├── PromptTooLong
│   └── LevelUnavailable      a level's replicas are gone or did not answer in time
└── RequestError              a request cannot be served as it stands
    ├── InvalidRequest
    │   └── BodyTooLarge
    ├── Unauthorized
    ├── ModelNotFound
    ├── SessionNotFound       no training session has this id
    └── Overloaded
        └── RateLimited       more in an hour than the operator allows

A message says what was asked, what was found and what to do next. Errors cross process borders, so
each one is built from its message alone and pickles.
"""


class NestedRayError(Exception):
    """Root of the tree; `str(error)` is the sentence a user reads."""


class ConfigError(NestedRayError): ...


class CorpusError(NestedRayError): ...


class SourceNotFound(CorpusError): ...


class NoUsableFiles(CorpusError): ...


class TrainingError(NestedRayError): ...


class TargetsMismatch(TrainingError): ...


class TeacherFailed(TrainingError): ...


class LevelFailed(TrainingError): ...


class StorageError(NestedRayError): ...


class StorageUnavailable(StorageError): ...


class DigestMismatch(StorageError): ...


class RegistryError(NestedRayError): ...


class NestNotFound(RegistryError): ...


class VersionNotFound(RegistryError): ...


class AliasNotFound(RegistryError): ...


class AliasConflict(RegistryError): ...


class InferenceError(NestedRayError): ...


class PromptTooLong(InferenceError): ...


class LevelUnavailable(InferenceError): ...


class RequestError(NestedRayError): ...


class InvalidRequest(RequestError): ...


class BodyTooLarge(InvalidRequest): ...


class Unauthorized(RequestError): ...


class ModelNotFound(RequestError): ...


class SessionNotFound(RequestError): ...


class Overloaded(RequestError): ...


class RateLimited(Overloaded):
    retry_after_s: int = 60
    """When it may be asked again."""
