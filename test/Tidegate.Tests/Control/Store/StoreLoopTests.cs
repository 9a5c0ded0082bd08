using Tidegate.Control.Store;
using Xunit;

namespace Tidegate.Tests.Control.Store;

public sealed class StoreLoopTests
{
    [Fact]
    public async Task Who_wakes_a_loop_that_has_ended_is_not_in_trouble()
    {
        var hasWorked = new TaskCompletionSource();
        var loop = new StoreLoop("test", () => !hasWorked.TrySetResult() && false, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
        loop.Start();
        await hasWorked.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await loop.DisposeAsync();

        loop.Wake();
        loop.Wake();
    }
}
