using Xunit;

namespace Tidegate.Tests;

/// <summary>Who may know whom, as ARCHITECTURE.md says. Read from the sources, because namespaces of one assembly leave no other trace.</summary>
public sealed class DependencyDirectionTests
{
    [Theory]
    [InlineData("Transport", "Exchanges Edge Routing Policies Forwarding Recording Configuration")]
    [InlineData("Exchanges", "Transport Edge Routing Policies Forwarding Recording Configuration")]
    [InlineData("Edge", "Routing Policies Forwarding Recording Configuration")]
    [InlineData("Routing", "Edge Policies Forwarding Recording Configuration")]
    [InlineData("Policies", "Edge Routing Forwarding Recording Configuration")]
    [InlineData("Forwarding", "Edge Routing Policies Recording Configuration")]
    [InlineData("Recording", "Edge Routing Policies Forwarding Configuration")]
    public void A_part_knows_the_shared_words_and_not_its_neighbours(string part, string forbidden)
    {
        var folder = Path.Combine(Sources(), part);
        var breaches =
            from file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            from line in File.ReadLines(file)
            from neighbour in forbidden.Split(' ')
            where line.Contains("Tidegate." + neighbour, StringComparison.Ordinal)
            select $"{Path.GetFileName(file)}: {line.Trim()}";

        Assert.Empty(breaches);
    }

    [Fact]
    public void A_policy_never_uses_another()
    {
        var policies = Directory.GetDirectories(Path.Combine(Sources(), "Policies")).Select(Path.GetFileName).ToList();
        Assert.NotEmpty(policies);
        var breaches =
            from policy in policies
            from file in Directory.EnumerateFiles(Path.Combine(Sources(), "Policies", policy!), "*.cs")
            from other in policies
            where other != policy && File.ReadAllText(file).Contains("Tidegate.Policies." + other, StringComparison.Ordinal)
            select $"{policy} uses {other}";

        Assert.Empty(breaches);
    }

    private static string Sources()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return Path.Combine(directory.FullName, "src/Tidegate");
    }
}
