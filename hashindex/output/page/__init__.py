"""The page of `hashindex review` and of reports: HTML, style and modules of JavaScript, without a build step."""
