namespace Tidegate.Transport;

/// <summary>Which transport the process runs on.</summary>
internal static class TransportChoice
{
    /// <summary><c>sockets</c> for the runtime's own sockets, <c>reactors</c> for ours.</summary>
    public const string Variable = "TIDEGATE_TRANSPORT";

    /// <summary>Our transport; null for the stock one.</summary>
    /// <param name="choice">What <see cref="Variable"/> says; null for the default.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Takes whole lines.</param>
    public static ReactorTransport? Create(string? choice, TimeProvider time, Action<string> log) =>
        choice == "reactors" && ReactorTransport.IsSupported ? ReactorTransport.Create(Environment.ProcessorCount, time, log) : null;
}
