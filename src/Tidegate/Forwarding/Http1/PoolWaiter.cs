namespace Tidegate.Forwarding.Http1;

/// <summary>An exchange that waits for a connection of a bounded pool. The result is a connection, or null with a place to open one in.</summary>
/// <remarks>Goes on apart from whoever gives the connection back: a row of failing exchanges must not pile up on one stack.</remarks>
internal sealed class PoolWaiter(int partition) : TaskCompletionSource<UpstreamConnection?>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public int Partition => partition;

    /// <summary>How often a later one of another partition was served first.</summary>
    public int PassedOver { get; set; }
}
