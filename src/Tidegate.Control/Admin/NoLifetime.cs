using Microsoft.Extensions.Hosting;

namespace Tidegate.Control.Admin;

/// <summary>For applications inside the process, whose life is the gateway's: the default one would take its signals.</summary>
internal sealed class NoLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
