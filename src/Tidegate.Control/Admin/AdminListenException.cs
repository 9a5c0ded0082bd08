namespace Tidegate.Control.Admin;

/// <summary>The admin address cannot be listened on. The message is one exact line for the user.</summary>
internal sealed class AdminListenException(string message, Exception inner) : IOException(message, inner);
