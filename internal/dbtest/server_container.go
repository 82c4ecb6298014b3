package dbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that the readiness check uses
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	defaultImage   = "postgres:17"
	superuser      = "postgres"
	postgresPort   = "5432/tcp"
	readyIn        = time.Minute
	shutdownWithin = 5 * time.Second
)

// inContainer is a server in a container.
type inContainer struct {
	container *testcontainers.DockerContainer
	password  string // any: the port may be open to the network
	address   string // host and port
}

// prepareTestcontainers silences the library and does without its reaper, a
// second image to pull: Main, Cleanup and the watch remove the containers.
var prepareTestcontainers = sync.OnceValue(func() error {
	log.SetDefault(log.NewNoopLogger())
	return os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
})

func newContainer(ctx context.Context) (*Server, error) {
	if err := prepareTestcontainers(); err != nil {
		return nil, err
	}
	image := os.Getenv(imageVariable)
	if image == "" {
		image = defaultImage
	}
	if err := provide(ctx, image); err != nil {
		return nil, err
	}

	// Between choosing a port and binding it, somebody else may take it.
	for attempt := 1; ; attempt++ {
		c, err := runContainer(ctx, image)
		if err == nil {
			return serve("container of "+image, c)
		}
		if attempt == 3 || !strings.Contains(err.Error(), "already ") {
			return nil, fmt.Errorf("no container of %s starts: %w", image, err)
		}
	}
}

// provide sees to it that an engine answers and has the image. It pulls once;
// the library would try for minutes where there is no network.
func provide(ctx context.Context, image string) error {
	engine, err := dockerEngine(ctx)
	if err != nil {
		return fmt.Errorf("no Docker engine answers: %w", err)
	}
	defer func() { _ = engine.Close() }()

	if _, err := engine.ImageInspect(ctx, image); err == nil {
		return nil
	}
	pull, err := engine.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return fmt.Errorf("the Docker engine cannot get the image %s: %w", image, err)
	}
	_, err = io.Copy(io.Discard, pull)
	if err := errors.Join(err, pull.Close()); err != nil {
		return fmt.Errorf("the Docker engine cannot get the image %s: %w", image, err)
	}
	return nil
}

// dockerEngine is where the library would run containers. If DOCKER_HOST names
// an engine, it must be that one: the library goes on to others.
func dockerEngine(ctx context.Context) (client.APIClient, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()

	if os.Getenv("DOCKER_HOST") != "" {
		named, err := client.New(client.FromEnv)
		if err != nil {
			return nil, err
		}
		defer func() { _ = named.Close() }()
		if _, err := named.Ping(ctx, client.PingOptions{}); err != nil {
			return nil, err
		}
	}

	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, err
	}
	if _, err := provider.Client().Ping(ctx, client.PingOptions{}); err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	return provider.Client(), nil
}

func runContainer(ctx context.Context, image string) (*inContainer, error) {
	// An assigned port would change with every start of the container.
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &inContainer{password: rand.Text()}
	command := []string{"postgres"}
	for name, value := range settings {
		command = append(command, "-c", name+"="+value)
	}

	c.container, err = testcontainers.Run(ctx, image,
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": superuser, "POSTGRES_PASSWORD": c.password}),
		testcontainers.WithCmd(command...),
		testcontainers.WithExposedPorts(postgresPort),
		testcontainers.WithConfigModifier(func(config *container.Config) {
			config.StopSignal = "SIGINT" // Postgres's fast shutdown; on SIGTERM it waits for clients
		}),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
			config.PortBindings = network.PortMap{network.MustParsePort(postgresPort): {{HostPort: port}}}
		}),
		testcontainers.WithWaitStrategyAndDeadline(readyIn,
			wait.ForSQL(postgresPort, "pgx", func(host string, port network.Port) string {
				c.address = net.JoinHostPort(host, port.Port())
				return c.url("postgres")
			}).WithStartupTimeout(readyIn)),
	)
	if err != nil {
		return nil, errors.Join(err, testcontainers.TerminateContainer(c.container))
	}
	return c, nil
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), listener.Close()
}

func (c *inContainer) url(database string) string {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     c.address,
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// start also waits until the server answers, as at the first start.
func (c *inContainer) start(ctx context.Context) error { return c.container.Start(ctx) }

func (c *inContainer) stop(ctx context.Context) error {
	timeout := shutdownWithin
	return c.container.Stop(ctx, &timeout)
}

func (c *inContainer) remove(ctx context.Context) error {
	return testcontainers.TerminateContainer(c.container,
		testcontainers.StopContext(ctx), testcontainers.StopTimeout(shutdownWithin))
}

func (c *inContainer) afterlife() []string {
	return []string{"docker", "rm", "--force", "--volumes", c.container.GetContainerID()}
}
