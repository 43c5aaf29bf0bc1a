"""Who may use what `uploads` offers."""

from tests.access import ANYBODY, SIGNED_IN, Access

ACCESS = Access(
    routes={
        "POST /uploads": SIGNED_IN,
        "GET /uploads/{}": SIGNED_IN,
        "POST /uploads/{}/parts/{:[0-9]{1,5}}": SIGNED_IN,
        "POST /uploads/{}/complete": SIGNED_IN,
        "DELETE /uploads/{}": SIGNED_IN,
        "GET /pictures/{}": ANYBODY,
        "PUT /files/{:[a-z]+/.+}": ANYBODY,  # with a signed URL
        "GET /files/{:[a-z]+/.+}": ANYBODY,
    },
)
