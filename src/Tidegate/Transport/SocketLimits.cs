namespace Tidegate.Transport;

/// <summary>What a socket is set to.</summary>
internal static class SocketLimits
{
    /// <summary>
    /// Bytes that the kernel keeps for a peer that does not take them yet. Left alone it keeps megabytes and says only when a third of them is gone that there is room
    /// again: a peer that reads slowly and steadily then looks as if it had stopped, and 10,000 of them hold gigabytes. With 128 KiB it is a step of 64 KiB, four pieces
    /// of a body, so that a fast peer costs no more wake-ups than it is worth.
    /// </summary>
    public const int MaxNotSentBytes = 128 * 1024;
}
