using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>The client's side of a flight: passes interim answers on to the client that waits for its head, and takes nothing else.</summary>
internal sealed class InterimWriter(ClientResponseWriter? client) : AbsentClient
{
    public override async ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        if (client is null)
        {
            return;
        }

        try
        {
            await client.WriteInformationalAsync(status, headers, cancellationToken);
        }
        catch (Exception gone) when (gone is IOException or Microsoft.AspNetCore.Connections.ConnectionAbortedException)
        {
            // This client has gone; the others still wait for the answer.
            return;
        }
    }
}
