using Tidegate.Exchanges;

namespace Tidegate.Forwarding.Connecting;

/// <summary>A connection could not be opened.</summary>
internal sealed class ConnectException(FailureKind kind, Exception? inner) : IOException(kind.Code, inner)
{
    /// <summary>In which phase.</summary>
    public FailureKind Kind { get; } = kind;
}
