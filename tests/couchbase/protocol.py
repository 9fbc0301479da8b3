"""Numbers of the KV protocol that the test server speaks, as its public description names them.

What is not here the server does not know: it answers such an opcode with UNKNOWN_COMMAND.
"""

from enum import IntEnum


class Opcode(IntEnum):
    """The commands of the data service that the SDK sends and this server answers."""

    GET = 0x00
    UPSERT = 0x01
    INSERT = 0x02
    REPLACE = 0x03
    REMOVE = 0x04
    INCREMENT = 0x05
    DECREMENT = 0x06
    NOOP = 0x0A
    TOUCH = 0x1C
    GET_AND_TOUCH = 0x1D
    HELLO = 0x1F
    SASL_LIST_MECHS = 0x20
    SASL_AUTH = 0x21
    SASL_STEP = 0x22
    SELECT_BUCKET = 0x89
    GET_AND_LOCK = 0x94
    UNLOCK = 0x95
    GET_META = 0xA0
    GET_CLUSTER_CONFIG = 0xB5
    GET_COLLECTIONS_MANIFEST = 0xBA
    GET_COLLECTION_ID = 0xBB
    LOOKUP_IN = 0xD0
    MUTATE_IN = 0xD1
    GET_ERROR_MAP = 0xFE


#: Commands whose key names a document: it starts with the id of a collection.
KEYED = frozenset(
    {
        Opcode.GET,
        Opcode.UPSERT,
        Opcode.INSERT,
        Opcode.REPLACE,
        Opcode.REMOVE,
        Opcode.INCREMENT,
        Opcode.DECREMENT,
        Opcode.TOUCH,
        Opcode.GET_AND_TOUCH,
        Opcode.GET_AND_LOCK,
        Opcode.UNLOCK,
        Opcode.GET_META,
        Opcode.LOOKUP_IN,
        Opcode.MUTATE_IN,
    }
)
#: Commands that may ask for durability; on any other one the request is invalid.
MAY_BE_DURABLE = frozenset(
    {
        Opcode.UPSERT,
        Opcode.INSERT,
        Opcode.REPLACE,
        Opcode.REMOVE,
        Opcode.INCREMENT,
        Opcode.DECREMENT,
        Opcode.MUTATE_IN,
    }
)


class Status(IntEnum):
    """How a command ended."""

    SUCCESS = 0x00
    NOT_FOUND = 0x01
    EXISTS = 0x02
    TOO_BIG = 0x03
    INVALID = 0x04
    NOT_STORED = 0x05
    DELTA_BAD_VALUE = 0x06
    NOT_MY_VBUCKET = 0x07
    NO_BUCKET = 0x08
    LOCKED = 0x09
    NOT_LOCKED = 0x0E
    AUTH_ERROR = 0x20
    AUTH_CONTINUE = 0x21
    NO_ACCESS = 0x24
    UNKNOWN_FRAME_INFO = 0x80
    UNKNOWN_COMMAND = 0x81
    NO_MEMORY = 0x82
    NOT_SUPPORTED = 0x83
    INTERNAL = 0x84
    BUSY = 0x85
    TEMPORARY_FAILURE = 0x86
    UNKNOWN_COLLECTION = 0x88
    UNKNOWN_SCOPE = 0x8C
    DURABILITY_INVALID_LEVEL = 0xA0
    DURABILITY_IMPOSSIBLE = 0xA1
    SYNC_WRITE_IN_PROGRESS = 0xA2
    SYNC_WRITE_AMBIGUOUS = 0xA3
    SYNC_WRITE_RECOMMIT_IN_PROGRESS = 0xA4
    PATH_NOT_FOUND = 0xC0
    PATH_MISMATCH = 0xC1
    PATH_INVALID = 0xC2
    PATH_TOO_BIG = 0xC3
    DOC_TOO_DEEP = 0xC4
    VALUE_CANNOT_INSERT = 0xC5
    DOC_NOT_JSON = 0xC6
    NUMBER_RANGE = 0xC7
    DELTA_INVALID = 0xC8
    PATH_EXISTS = 0xC9
    VALUE_TOO_DEEP = 0xCA
    INVALID_COMBINATION = 0xCB
    MULTI_PATH_FAILURE = 0xCC
    XATTR_UNKNOWN_VATTR = 0xD1
    XATTR_CANNOT_MODIFY_VATTR = 0xD2


class Feature(IntEnum):
    """What a client may ask for in HELLO and this server grants."""

    TCP_NODELAY = 0x03
    MUTATION_SEQNO = 0x04
    XATTR = 0x06
    XERROR = 0x07
    SELECT_BUCKET = 0x08
    JSON = 0x0B
    UNORDERED_EXECUTION = 0x0E
    ALT_REQUEST = 0x10
    SYNC_REPLICATION = 0x11
    COLLECTIONS = 0x12
    PRESERVE_TTL = 0x14
    CREATE_AS_DELETED = 0x17


class FrameId(IntEnum):
    """Extras of a request that stand before its key."""

    DURABILITY = 0x01
    PRESERVE_TTL = 0x05


JSON_DATATYPE = 0x01
