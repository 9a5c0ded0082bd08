using Tidegate.Forwarding;
using Tidegate.Transport;

namespace Tidegate.Host;

/// <summary>What a process is told by its environment and not by its configuration: ways out, the same for every command that carries traffic.</summary>
internal static class EnvironmentChoices
{
    /// <summary>Reads them.</summary>
    /// <param name="upstreams">Who speaks to upstreams.</param>
    /// <returns>What is wrong with them, as a line; null when nothing is.</returns>
    public static string? Read(out ForwarderOptions upstreams)
    {
        upstreams = new ForwarderOptions();
        try
        {
            TransportChoice.Check(Environment.GetEnvironmentVariable(TransportChoice.Variable));
            upstreams = ForwarderOptions.FromEnvironment(Environment.GetEnvironmentVariable(ForwarderOptions.ClientVariable));
            return null;
        }
        catch (ArgumentException unknown)
        {
            return unknown.Message;
        }
    }
}
