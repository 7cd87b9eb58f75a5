"""How much of anything a peer may send, each with its reason.

RFC 3261 sets almost no sizes. These are far above what phones and carriers send (and above the
long request of RFC 4475 §3.1.1.7) and far below what could hurt.
"""

from typing import Final

# A UDP datagram can't carry more (16-bit length less IP and UDP headers).
MAX_DATAGRAM_BYTES: Final = 65_507

# All header lines with the start line. An INVITE with Identity, PIDF references, History-Info and
# long routes stays under 8 KB; a stream that sends more without an empty line is no SIP peer.
MAX_HEAD_BYTES: Final = 16_384

# One line, unfolded. Identity with a PASSporT (RFC 8224) takes 1-2 KB, a certificate chain 4 KB.
MAX_LINE_CHARS: Final = 8_192

# Lines of one message. 70 hops (Max-Forwards) of Via and Record-Route would be 140; none is near.
MAX_HEADER_LINES: Final = 160

# A header name as written. RFC 4475 §3.1.1.7 uses one of over 200 characters; longer is an attack.
MAX_NAME_CHARS: Final = 512

# A method. The longest of RFC 4475 has 43 characters, the longest registered one 9.
MAX_METHOD_CHARS: Final = 64

# A URI. RFC 4475 §3.1.1.7 has one of about 1,000; phones' Contacts with push parameters reach 700.
MAX_URI_CHARS: Final = 2_048

# Call-ID is a key of tables and of the journal. RFC 4475 §3.1.1.7 has one of about 340.
MAX_CALL_ID_CHARS: Final = 512

# Values separated by commas in one header field: as many as Max-Forwards would let Via values grow.
MAX_LIST_VALUES: Final = 128

# Parameters of one value: phones send up to 15 on a Contact.
MAX_PARAMETERS: Final = 64

# A body on a stream. SDP of a WebRTC offer is 10 KB, a PIDF-LO 4 KB; a UDP body is less anyway.
MAX_BODY_BYTES: Final = 65_536

# RFC 3261 §8.1.1.5: the sequence number is less than 2**31.
MAX_CSEQ: Final = 2**31 - 1

# RFC 3261 §20.22: Max-Forwards is 0-255.
MAX_MAX_FORWARDS: Final = 255

# RFC 3261 §20.19: delta-seconds between 0 and 2**32 - 1.
MAX_DELTA_SECONDS: Final = 2**32 - 1
