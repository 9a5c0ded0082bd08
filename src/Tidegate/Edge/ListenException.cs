namespace Tidegate.Edge;

/// <summary>An address cannot be listened on. The message is one exact line for the user.</summary>
internal sealed class ListenException(string message, Exception? inner = null) : IOException(message, inner);
