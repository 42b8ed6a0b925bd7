/* signer_protocol.h - the frames between moultd and moult-signer.
 *
 * Layer    server/base: constants only.
 * Format   docs/spec/signer.md.
 */
#ifndef MOULT_SERVER_BASE_SIGNER_PROTOCOL_H
#define MOULT_SERVER_BASE_SIGNER_PROTOCOL_H

#define SIGNER_PROTOCOL_VERSION 1u
#define SIGNER_FRAME_HEAD 4u /* bytes of the size field */
#define SIGNER_FRAME_MIN 5u  /* id and operation: an empty request */
#define SIGNER_FRAME_MAX                                                                   \
    8192u                       /* bytes behind the size field; a keyset and room to grow  \
                                 */
#define SIGNER_BODY_OFFSET 5u   /* of a request, behind the size field */
#define SIGNER_REPLY_OFFSET 6u  /* of a reply, behind the size field */
#define SIGNER_REFUSAL_MAX 200u /* bytes of text in a refusal */
#define SIGNER_HELLO_SIZE 38u   /* bytes of the hello reply's body */

enum signer_operation {
    SIGNER_HELLO = 1,
    SIGNER_SIGN = 2,
    SIGNER_RELEASE = 3,
    SIGNER_KEYSET = 4,
    SIGNER_STATUS = 5,
};

#endif
