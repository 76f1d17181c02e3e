{
  // No platform id: the app is not linked to anything.
  "id": "",
  "lang": "typescript",
}
