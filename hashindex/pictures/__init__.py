"""What a picture is: recognised by its bytes, decoded within limits, made small."""
